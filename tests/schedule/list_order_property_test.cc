// Goal: with fewer places than work, what starts next is always the ready step with the longest way
// to its answer; then the earlier query's, then the earlier step.
// Method: random plans of several queries, random places and durations; the order of starts and
// their times against a naive list scheduler that looks at everything before each choice.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "harness.h"

namespace hf {
namespace {

using std::chrono::milliseconds;

struct Task {
  std::uint32_t query = 0;
  std::uint32_t id = 0;
  std::vector<std::uint32_t> inputs;
  std::int64_t expected = 1;
  std::int64_t duration = 1;
};

struct Start {
  std::uint32_t query;
  std::uint32_t id;
  std::int64_t at;
  friend bool operator==(const Start&, const Start&) = default;
};

using Plan = std::vector<Task>;  // The last task is the answer and every other one leads there.

Plan random_plan(std::uint32_t query) {
  Plan plan(*rc::gen::inRange<std::uint32_t>(1, 8));
  std::vector<bool> is_used(plan.size());
  for (std::uint32_t id = 0; id < plan.size(); ++id) {
    Task& task = plan[id];
    task.query = query;
    task.id = id;
    task.expected = *rc::gen::inRange(1, 40);
    task.duration = *rc::gen::inRange(1, 30);
    for (std::uint32_t input = 0; input < id; ++input) {
      const bool is_answer = id + 1 == plan.size();
      if (*rc::gen::inRange(0, 3) != 0 && !(is_answer && !is_used[input])) continue;
      task.inputs.push_back(input);
      is_used[input] = true;
    }
  }
  return plan;
}

std::int64_t tail_of(const Plan& plan, std::uint32_t id) {
  std::int64_t longest = 0;
  for (const Task& next : plan) {
    if (std::ranges::count(next.inputs, id) > 0)
      longest = std::max(longest, tail_of(plan, next.id));
  }
  return longest + plan[id].expected;
}

// Starts one after the other as long as a place is free, from the best of what is ready.
std::vector<Start> model(const std::vector<Plan>& plans, std::size_t places) {
  struct Running {
    std::int64_t end;
    std::size_t order;
    std::uint32_t query;
    std::uint32_t id;
  };
  std::vector<Start> starts;
  std::vector<Running> running;
  std::set<std::pair<std::uint32_t, std::uint32_t>> begun;
  std::set<std::pair<std::uint32_t, std::uint32_t>> done;
  std::int64_t now = 0;
  while (true) {
    while (running.size() < places) {
      const Task* best = nullptr;
      for (const Plan& plan : plans) {
        for (const Task& task : plan) {
          const bool is_ready = !begun.contains({task.query, task.id}) &&
                                std::ranges::all_of(task.inputs, [&](std::uint32_t input) {
                                  return done.contains({task.query, input});
                                });
          if (!is_ready) continue;
          if (best == nullptr || tail_of(plan, task.id) > tail_of(plans[best->query], best->id)) {
            best = &task;
          }
        }
      }
      if (best == nullptr) break;
      begun.insert({best->query, best->id});
      starts.push_back({best->query, best->id, now});
      running.push_back({now + best->duration, starts.size(), best->query, best->id});
    }
    if (running.empty()) return starts;
    const auto next = std::ranges::min_element(
        running, {}, [](const Running& each) { return std::pair(each.end, each.order); });
    now = next->end;
    done.insert({next->query, next->id});
    running.erase(next);
  }
}

class Played {
 public:
  explicit Played(std::size_t places) : h_("edge", one_edge(places)) {}

  // Every place is taken while the plans arrive, and given back when all of them are known.
  std::vector<Start> play(const std::vector<Plan>& plans, std::size_t places) {
    std::vector<CallId> blockers;
    for (std::size_t i = 0; i < places; ++i) {
      h_.arrive_whole({}, QueryId{100 + i});
      blockers.push_back(h_.only<StartCall>().call);
    }
    for (const Plan& plan : plans) tell(plan);
    for (const CallId call : blockers) {
      h_.finish_call(call);
      note(plans);
    }
    while (!running_.empty()) {
      const auto next = std::ranges::min_element(
          running_, {}, [](const Running& each) { return std::pair(each.end, each.order); });
      const Running ended = *next;
      running_.erase(next);
      h_.now = TimePoint(milliseconds(ended.end));
      h_.finish_call(ended.call);
      note(plans);
    }
    return starts_;
  }
  [[nodiscard]] bool is_answered(std::uint32_t query) const {
    return h_.record(QueryId{1 + query}).outcome == Outcome::kAnswered;
  }

 private:
  struct Running {
    std::int64_t end;
    std::size_t order;
    CallId call;
  };

  static Scheduler::Options one_edge(std::size_t places) {
    Scheduler::Options options;
    options.endpoints = {{.name = "edge",
                          .tier = Tier::kEdge,
                          .price = {},
                          .max_in_flight = static_cast<std::uint32_t>(places)}};
    return options;
  }

  void tell(const Plan& plan) {
    const QueryId query{1 + plan.front().query};
    h_.arrive({.query = query, .plan_given = true, .features = {}});
    for (const Task& task : plan) {
      StepParsed step{
          .query = query,
          .id = node(task.id),
          .subtask = {.role = task.id + 1 == plan.size() ? Role::kGenerate : Role::kAnalyze,
                      .relies_on = {},
                      .expected = Tokens(task.expected)},
          .task_bytes = 10,
          .features = {}};
      for (const std::uint32_t input : task.inputs) step.subtask.relies_on.push_back(node(input));
      h_.send(step);
    }
    h_.send(PlanEnded{
        .query = query, .sink = node(static_cast<std::uint32_t>(plan.size() - 1)), .pruned = {}});
  }

  void note(const std::vector<Plan>& plans) {
    const std::int64_t now =
        std::chrono::duration_cast<milliseconds>(h_.now.time_since_epoch()).count();
    for (const StartCall& start : h_.all<StartCall>()) {
      const auto query = static_cast<std::uint32_t>(index_of(start.query) - 1);
      const auto id = static_cast<std::uint32_t>(start.subtask);
      starts_.push_back({query, id, now});
      running_.push_back({now + plans[query][id].duration, starts_.size(), start.call});
    }
  }

  Harness h_;
  std::vector<Running> running_;
  std::vector<Start> starts_;
};

RC_GTEST_PROP(ListOrder, IsThatOfANaiveListScheduler, ()) {
  std::vector<Plan> plans;
  const std::uint32_t queries = *rc::gen::inRange<std::uint32_t>(1, 4);
  for (std::uint32_t query = 0; query < queries; ++query) plans.push_back(random_plan(query));
  const std::size_t places = *rc::gen::inRange<std::size_t>(1, 4);

  Played played(places);
  const std::vector<Start> starts = played.play(plans, places);
  RC_ASSERT((starts == model(plans, places)));
  for (std::uint32_t query = 0; query < queries; ++query) RC_ASSERT(played.is_answered(query));
}

}  // namespace
}  // namespace hf
