// Goal: whatever a small plan looks like, in whatever order its calls end and whichever of them
// fails, the scheduler starts exactly what can start, at once and with the right inputs, ends
// everything once and books every cent once.
// Method: stateless search. Every plan of up to five steps, every step as the answer, no failure or
// one at every place, every order in which calls, back-offs and the planner's lines can come. Each
// run is compared event by event with a model that knows nothing but the rule itself.
//
// Why that is all plans: a step may rely on earlier ones only (StepParsed, Graph::add), so ids are
// in topological order and a plan of n steps is one choice among the 2^(n(n-1)/2) sets of pairs
// (earlier, later): 1 + 2 + 8 + 64 + 1024 shapes. A plan that ends early is one of them, cut.
//
// HF_EXHAUSTIVE=full also interleaves the planner's lines with everything else in plans of five
// steps, and leaves nothing out under sanitizers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness.h"

namespace hf {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HF_SANITIZED 1
#endif
#endif
#ifdef HF_SANITIZED
constexpr std::uint32_t kStride = 13;
#else
constexpr std::uint32_t kStride = 1;
#endif

bool is_full() {
  const char* wish = std::getenv("HF_EXHAUSTIVE");
  return wish != nullptr && std::string_view(wish) == "full";
}

enum class Fault { kNone, kOnce, kForGood, kPlanner };

struct Case {
  std::uint32_t nodes = 1;
  std::uint32_t edges = 0;  // One bit a pair (earlier, later), later ones first by their later.
  std::uint32_t sink = 0;
  bool is_streamed = false;  // Otherwise the plan is there before anything ends.
  Fault fault = Fault::kNone;
  std::uint32_t place = 0;  // The node; for kPlanner, after how many steps.

  [[nodiscard]] std::vector<std::uint32_t> inputs(std::uint32_t id) const {
    std::vector<std::uint32_t> result;
    for (std::uint32_t input = 0; input < id; ++input) {
      if ((edges >> (id * (id - 1) / 2 + input) & 1U) != 0) result.push_back(input);
    }
    return result;
  }
  [[nodiscard]] std::string name() const {
    return fmt::format("{} steps, edges {:#x}, answer {}, {}, fault {} at {}", nodes, edges, sink,
                       is_streamed ? "streamed" : "given", static_cast<int>(fault), place);
  }
};

// The choices of one run; `next` goes to the first run that differs, the last choice first.
class Choices {
 public:
  std::size_t among(std::size_t options) {
    if (depth_ == path_.size()) path_.push_back({0, options});
    return path_[depth_++].taken;
  }
  bool next() {
    depth_ = 0;
    while (!path_.empty()) {
      if (++path_.back().taken < path_.back().options) return true;
      path_.pop_back();
    }
    return false;
  }

 private:
  struct Choice {
    std::size_t taken;
    std::size_t options;
  };
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
};

Scheduler::Options options() {
  Scheduler::Options result = cloud_only();
  result.endpoints.front().max_in_flight = 64;
  return result;
}

// One run: the scheduler and, beside it, what a reader of the rule would expect.
class Run {
 public:
  Run(const Case& what, Choices& choices) : case_(what), choices_(choices), h_("cloud", options()) {
    nodes_.resize(case_.nodes);
  }

  // The first thing that was not as it should be; empty if everything was.
  std::string play() {
    h_.arrive({.budget = {.usd = PicoUsd(kPicoPerUsd), .cloud_tokens = {}, .deadline = {}},
               .plan_given = !case_.is_streamed,
               .features = {}});
    if (case_.is_streamed) planner_ = h_.only<StartCall>().call;
    while (!case_.is_streamed && !is_plan_over_ && trouble_.empty()) write_plan();
    while (trouble_.empty()) {
      const std::vector<Pending> pending = what_can_happen();
      if (pending.empty()) break;
      // After the end of the query nothing may happen any more, so the order is all the same.
      happen(pending[is_over_ ? 0 : choices_.among(pending.size())]);
    }
    if (trouble_.empty()) check_end();
    return trouble_;
  }

 private:
  enum class State { kUnknown, kWaiting, kRunning, kBacksOff, kDone, kFailed, kPruned };
  struct Node {
    State state = State::kUnknown;
    CallId call{};
    std::uint64_t timer = 0;
    bool has_failed_once = false;
  };
  struct Pending {
    enum class Kind { kCall, kTimer, kPlanner, kDeadTimer } kind;
    std::uint32_t node = 0;
  };

  [[nodiscard]] static bool is_over(const Node& node) {
    return node.state == State::kDone || node.state == State::kFailed ||
           node.state == State::kPruned;
  }

  [[nodiscard]] std::vector<Pending> what_can_happen() const {
    std::vector<Pending> pending;
    for (std::uint32_t id = 0; id < case_.nodes; ++id) {
      if (nodes_[id].state == State::kRunning) pending.push_back({Pending::Kind::kCall, id});
      if (nodes_[id].state == State::kBacksOff) pending.push_back({Pending::Kind::kTimer, id});
    }
    if (case_.is_streamed && !is_plan_over_) pending.push_back({Pending::Kind::kPlanner});
    if (!dead_timers_.empty()) pending.push_back({Pending::Kind::kDeadTimer});
    return pending;
  }

  void happen(const Pending& what) {
    h_.pass(std::chrono::milliseconds(1));
    Node& node = nodes_[what.node];
    switch (what.kind) {
      case Pending::Kind::kCall:
        return end_call(what.node);
      case Pending::Kind::kTimer:
        node.state = State::kWaiting;
        fire(node.timer);
        return check_commands();
      case Pending::Kind::kPlanner:
        return planner_timer_ == 0 ? write_plan() : plan_again();
      case Pending::Kind::kDeadTimer:
        fire(dead_timers_.back());
        dead_timers_.pop_back();
        return check_commands();
    }
  }

  void fire(std::uint64_t timer) {
    h_.now = std::max(h_.now, due_.at(timer));
    h_.send(TimerFired{timer});
  }

  void end_call(std::uint32_t id) {
    Node& node = nodes_[id];
    const bool is_place = id == case_.place && !node.has_failed_once;
    if (is_place && case_.fault == Fault::kOnce) {
      node.has_failed_once = true;
      node.state = State::kBacksOff;
      h_.fail_call(node.call, Failure::kServer, bill(5), true);
      const auto timers = h_.all<SetTimer>();
      expect(timers.size() == 1 && timers[0].at > h_.now, "one back-off starts");
      if (timers.size() == 1) due_[node.timer = timers[0].timer] = timers[0].at;
    } else if (is_place && case_.fault == Fault::kForGood) {
      node.state = State::kFailed;
      h_.fail_call(node.call, Failure::kRejected);
      is_degraded_ = true;
    } else {
      node.state = State::kDone;
      h_.finish_call(node.call, bill(20));
    }
    check_commands();
  }

  // The next thing the planner writes: a step, its end, or nothing more.
  void write_plan() {
    const bool dies = case_.fault == Fault::kPlanner && written_ == case_.place && !is_replanning_;
    if (dies) {
      h_.fail_call(planner_, Failure::kServer, bill(5), true);
      expect(h_.commands.empty(), "the end of the planner's call alone changes nothing");
      if (written_ > 0) return end_plan(PlanOutcome::kTruncated);
      h_.end_uselessly();
      const auto timers = h_.all<SetTimer>();
      expect(timers.size() == 1, "the planner backs off");
      if (timers.size() == 1) due_[planner_timer_ = timers[0].timer] = timers[0].at;
      return check_commands();
    }
    if (written_ == case_.nodes) {
      if (case_.is_streamed) h_.finish_call(planner_, bill(20));
      return end_plan(PlanOutcome::kComplete);
    }
    nodes_[written_].state = State::kWaiting;
    h_.step(written_, case_.inputs(written_),
            written_ == case_.sink ? Role::kGenerate : Role::kAnalyze);
    ++written_;
    check_commands();
  }

  void plan_again() {
    is_replanning_ = true;
    fire(std::exchange(planner_timer_, 0));
    const auto start = h_.only<StartCall>();
    expect(start.kind == CallKind::kPlanner && start.prompt == Prompt::kPlan, "the planner starts");
    planner_ = start.call;
  }

  void end_plan(PlanOutcome outcome) {
    is_plan_over_ = true;
    is_degraded_ = is_degraded_ || outcome == PlanOutcome::kTruncated;
    sink_ = std::min(case_.sink, written_ - 1);
    std::vector<bool> leads(written_);
    leads[sink_] = true;
    for (std::uint32_t id = written_; id-- > 0;) {
      if (!leads[id]) continue;
      for (const std::uint32_t input : case_.inputs(id)) leads[input] = true;
    }
    std::vector<std::uint32_t> pruned;
    std::vector<CallId> stopped;
    for (std::uint32_t id = 0; id < written_; ++id) {
      if (leads[id]) continue;
      pruned.push_back(id);
      if (is_over(nodes_[id])) continue;
      if (nodes_[id].state == State::kRunning) stopped.push_back(nodes_[id].call);
      if (nodes_[id].state == State::kBacksOff) dead_timers_.push_back(nodes_[id].timer);
      nodes_[id].state = State::kPruned;
    }
    h_.end_plan(sink_, pruned, outcome);
    std::vector<CallId> stops;
    for (const CancelCall& each : h_.all<CancelCall>()) stops.push_back(each.call);
    expect(stops == stopped, "exactly what leads nowhere is stopped");
    check_commands();
    for (const CallId call : stopped) {
      h_.fail_call(call, Failure::kNone, bill(7), true);
      expect(h_.commands.empty(), "a late bill leads to nothing");
    }
  }

  // What the last event should have led to: exactly that has started, and the end, if it is one.
  void check_commands() {
    const bool ends = !is_over_ && is_plan_over_ && is_over(nodes_[sink_]);
    std::uint32_t starts = 0;
    for (std::uint32_t id = 0; id < case_.nodes && !is_over_ && !ends; ++id) {
      Node& node = nodes_[id];
      const auto inputs = case_.inputs(id);
      const bool may_start =
          node.state == State::kWaiting && (id != case_.sink || is_plan_over_) &&
          std::ranges::all_of(inputs, [&](std::uint32_t in) { return is_over(nodes_[in]); });
      if (!may_start) continue;
      ++starts;
      node.state = State::kRunning;
      SubtaskIds handed;
      for (const std::uint32_t input : inputs) {
        if (nodes_[input].state == State::kDone) handed.push_back(hf::node(input));
      }
      const Prompt prompt = is_plan_over_ && id == sink_ ? Prompt::kSink : Prompt::kSubtask;
      const auto all = h_.all<StartCall>();
      const auto start = std::ranges::find(all, hf::node(id), &StartCall::subtask);
      expect(start != all.end(), fmt::format("step {} starts now", id));
      if (start == all.end()) return;
      expect(start->kind == CallKind::kSubtask && start->prompt == prompt, "the right prompt");
      expect(start->inputs == handed, "the results of what is done are handed over, in order");
      node.call = start->call;
    }
    expect(h_.all<StartCall>().size() == starts, "nothing else starts");
    expect(h_.all<FinishQuery>().size() == (ends ? 1 : 0), "the query ends with its answer");
    is_over_ = is_over_ || ends;
    const BudgetState budget = h_.record().budget_state;
    const bool is_idle =
        (is_plan_over_ || !case_.is_streamed || planner_timer_ != 0) &&
        std::ranges::none_of(nodes_, [](const Node& n) { return n.state == State::kRunning; });
    expect((budget.held == Amounts{}) == is_idle, "something is held exactly while a call runs");
    expect(budget.spent.usd + budget.held.usd <= *budget.usd_limit, "the limit holds");
  }

  void check_end() {
    const RunRecord& record = h_.record();
    expect(is_over_ && record.outcome.has_value(), "the query ends");
    if (!trouble_.empty()) return;
    const Outcome outcome = nodes_[sink_].state == State::kFailed ? Outcome::kUnavailable
                            : is_degraded_                        ? Outcome::kDegraded
                                                                  : Outcome::kAnswered;
    expect(record.outcome == outcome, "the outcome is right");
    expect(record.subtasks.size() == written_, "every step is in the record");
    for (std::uint32_t id = 0; id < written_ && trouble_.empty(); ++id) {
      const State state = nodes_[id].state;
      const SubtaskState told = record.subtasks[id].state;
      expect(told == (state == State::kDone     ? SubtaskState::kDone
                      : state == State::kFailed ? SubtaskState::kFailed
                                                : SubtaskState::kPruned),
             fmt::format("step {} ends as it should", id));
    }
    Amounts sum;
    for (const CallRecord& call : record.calls) sum += {call.usd, call.usage.total()};
    expect(sum == billed_, "the calls cost what was reported");
    expect(record.budget_state.spent == billed_, "the budget has spent what was reported");
    expect(record.budget_state.held == Amounts{}, "nothing stays held");
  }

  Usage bill(std::int64_t completion) {
    const Usage used = usage(30, completion);
    billed_ += {cost_of(options_.endpoints.front().price, used), used.total()};
    return used;
  }

  void expect(bool holds, const std::string& rule) {
    if (!holds && trouble_.empty()) trouble_ = "not so: " + rule;
  }

  const Case& case_;
  Choices& choices_;
  Harness h_;
  const Scheduler::Options options_ = options();
  std::vector<Node> nodes_;
  std::map<std::uint64_t, TimePoint> due_;
  std::vector<std::uint64_t> dead_timers_;
  CallId planner_{};
  std::uint64_t planner_timer_ = 0;
  std::uint32_t written_ = 0;
  std::uint32_t sink_ = 0;
  bool is_plan_over_ = false;
  bool is_replanning_ = false;
  bool is_degraded_ = false;
  bool is_over_ = false;
  Amounts billed_;
  std::string trouble_;
};

struct Count {
  std::uint64_t shapes = 0;
  std::uint64_t cases = 0;
  std::uint64_t orders = 0;
};

void explore(const Case& what, Count& count) {
  ++count.cases;
  Choices choices;
  do {
    ++count.orders;
    ASSERT_EQ(Run(what, choices).play(), "") << what.name();
  } while (choices.next());
}

// Every answer and every fault of one shape.
void explore_shape(Case what, Count& count) {
  ++count.shapes;
  for (what.sink = 0; what.sink < what.nodes; ++what.sink) {
    what.fault = Fault::kNone;
    explore(what, count);
    for (const Fault fault : {Fault::kOnce, Fault::kForGood, Fault::kPlanner}) {
      if (fault == Fault::kPlanner && !what.is_streamed) continue;
      what.fault = fault;
      const std::uint32_t places = what.nodes + (fault == Fault::kPlanner ? 1 : 0);
      for (what.place = 0; what.place < places; ++what.place) {
        explore(what, count);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

void explore_all(bool is_streamed, std::uint32_t nodes_max, std::uint32_t stride) {
  Count count;
  for (std::uint32_t nodes = 1; nodes <= nodes_max; ++nodes) {
    const std::uint32_t shapes = 1U << (nodes * (nodes - 1) / 2);
    for (std::uint32_t edges = 0; edges < shapes; edges += nodes == nodes_max ? stride : 1) {
      explore_shape({.nodes = nodes, .edges = edges, .is_streamed = is_streamed}, count);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  std::cout << fmt::format("{} plans of up to {} steps: {} shapes, {} cases, {} orders explored\n",
                           is_streamed ? "streamed" : "given", nodes_max, count.shapes, count.cases,
                           count.orders);
  EXPECT_GT(count.orders, count.cases);
}

TEST(Exhaustive, AGivenPlanRunsAsItShouldInEveryOrderWithEveryFailure) {
  explore_all(false, 5, is_full() ? 1 : kStride);
}

TEST(Exhaustive, AStreamedPlanRunsAsItShouldInEveryOrderWithEveryFailure) {
  explore_all(true, is_full() ? 5 : 4, is_full() ? 1 : kStride);
}

}  // namespace
}  // namespace hf
