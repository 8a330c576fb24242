#include "eval/stream.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "ledger/ledger.h"
#include "route/vote.h"

namespace hf::eval {
namespace {

constexpr auto kEdge = static_cast<EndpointId>(0);
constexpr auto kCloud = static_cast<EndpointId>(1);
constexpr std::size_t kPoints = 100;

PicoUsd scaled(PicoUsd usd, double factor) {
  return PicoUsd(std::llround(static_cast<double>(usd.count()) * factor));
}

class Stream {
 public:
  Stream(const Prepared& data, Router& router, const StreamOptions& options)
      : data_(data), router_(router), options_(options) {
    scope_ = ledger_.open("stream", std::nullopt,
                          {.usd = options.limit, .cloud_tokens = {}, .deadline = {}});
    result_.queries.resize(data.queries.size());
  }

  StreamResult run(std::span<const std::uint32_t> order) {
    std::size_t items = 0;
    for (const std::uint32_t index : order) items += data_.queries[index].graph.size();
    left_ = items;
    for (std::size_t place = 0; place < order.size(); ++place) {
      factor_ = price_factor(options_.price, place, order.size());
      run_query(order[place]);
      const std::size_t points = (place + 1) * kPoints / order.size();
      while (result_.spending.size() < points) result_.spending.push_back(spent_share());
    }
    result_.spent = ledger_.state(scope_).spent.usd;
    return std::move(result_);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kReady, kRunning, kOver };
  struct Step {
    State state = State::kWaiting;
    std::uint32_t inputs_left = 0;
    std::optional<Decision> decision;
    bool is_attempt = false;  // What runs will be looked at.
    bool was_tried = false;
    std::size_t calls = 0;    // Begun on the edge: the first one, then the voters'.
    std::size_t wanted = 0;   // So many are to be over before it is looked at.
    std::size_t running = 0;  // Of them.
    Duration expected_end{};  // As far as a policy can know.
    std::optional<ReservationId> reservation;
    PicoUsd most;             // It may cost.
    Tier tier = Tier::kEdge;  // Where it runs, or where its result came from.
  };

  struct Call {
    Duration ends{};
    std::uint32_t step = 0;
    bool is_on_edge = false;
  };

  void run_query(std::uint32_t index) {
    query_ = &data_.queries[index];
    id_ = static_cast<QueryId>(index + 1);
    steps_.assign(query_->graph.size(), {});
    tails_.assign(steps_.size(), Duration(0));
    now_ = Duration(0);
    on_edge_ = 0;
    outcome_ = &result_.queries[index];
    *outcome_ = {};
    for (std::uint32_t i = 0; i < steps_.size(); ++i) {
      steps_[i].inputs_left = static_cast<std::uint32_t>(relies_on(i).size());
      if (steps_[i].inputs_left == 0) steps_[i].state = State::kReady;
    }
    for (std::size_t i = steps_.size(); i-- > 0;) {
      tails_[i] += item(i).expected_edge_time;
      for (const SubtaskId input : relies_on(i)) {
        tails_[index_of(input)] = std::max(tails_[index_of(input)], tails_[i]);
      }
    }
    is_all_correct_ = true;
    start_ready();
    while (!running_.empty()) {
      const auto next = std::ranges::min_element(
          running_, {}, [](const Call& call) { return std::pair(call.ends, call.step); });
      const Call over = *next;
      running_.erase(next);
      now_ = over.ends;
      end(over);
      start_ready();
    }
    outcome_->seconds = std::chrono::duration<double>(now_).count();
    outcome_->correct /= static_cast<double>(steps_.size());
    outcome_->is_all_correct = is_all_correct_;
  }

  [[nodiscard]] const Item& item(std::size_t step) const {
    return data_.items[query_->first + step];
  }
  [[nodiscard]] const SubtaskIds& relies_on(std::size_t step) const {
    return query_->graph[static_cast<SubtaskId>(step)].relies_on;
  }

  // Everything that can start, the longest way to the end first.
  void start_ready() {
    order_.clear();
    for (std::uint32_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      const bool waits = step.state == State::kRunning && step.calls < step.wanted;
      if (step.state == State::kReady || waits) order_.push_back(i);
    }
    std::ranges::sort(order_, {}, [&](std::uint32_t i) { return std::pair(-tails_[i], i); });
    for (const std::uint32_t step : order_) {
      if (steps_[step].state == State::kReady) try_start(step);
      while (steps_[step].calls < steps_[step].wanted && on_edge_ < options_.edge_places) {
        call_edge(step);
      }
    }
  }

  void try_start(std::uint32_t index) {
    Step& step = steps_[index];
    if (!step.decision || options_.late_binding) {
      step.decision = decide(index, nullptr);
      if (step.decision->tier == Tier::kCloud && !hold(index)) {
        step.decision = decide(index, nullptr, true);
      }
    }
    if (step.decision->tier == Tier::kEdge && on_edge_ >= options_.edge_places) return;
    launch(index);
  }

  void launch(std::uint32_t index) {
    Step& step = steps_[index];
    step.state = State::kRunning;
    step.tier = step.decision->tier;
    step.is_attempt = step.decision->action == Action::kAttempt;
    if (step.is_attempt) {
      step.was_tried = true;
      ++result_.attempts;
    } else {
      conclude(index);
    }
    if (step.tier == Tier::kCloud) {
      call_cloud(index);
    } else {
      want(index, step.is_attempt ? step.decision->votes : 0);
    }
  }

  void call_cloud(std::uint32_t index) {
    running_.push_back({now_ + item(index).cloud_time, index, false});
    steps_[index].expected_end = now_ + item(index).expected_cloud_time;
  }

  // The first result and so many votes are to be had before anything else.
  void want(std::uint32_t index, std::size_t votes) {
    Step& step = steps_[index];
    const Item& what = item(index);
    const std::size_t begun = step.calls;
    step.wanted = 1 + std::min<std::size_t>(votes, what.voters());
    calls_.clear();
    if (begun == 0) calls_.push_back(what.expected_edge_time);
    for (std::size_t i = std::max<std::size_t>(begun, 1); i < step.wanted; ++i) {
      calls_.push_back(what.expected_vote_times[i - 1]);
    }
    step.expected_end = now_ + time_of_calls(calls_, options_.edge_places);
  }

  void call_edge(std::uint32_t index) {
    Step& step = steps_[index];
    const Item& what = item(index);
    const Duration time = step.calls == 0 ? what.edge_time : what.vote_times[step.calls - 1];
    running_.push_back({now_ + time, index, true});
    ++on_edge_;
    ++step.calls;
    ++step.running;
    if (step.calls > 1) ++result_.votes;
  }

  void end(const Call& call) {
    Step& step = steps_[call.step];
    if (call.is_on_edge) {
      --on_edge_;
      --step.running;
    }
    if (step.running > 0 || step.calls < step.wanted) return;
    if (!step.is_attempt) {
      finish(call.step);
      return;
    }
    const hf::Attempt& seen = look_of(call.step).attempt;
    step.decision = decide(call.step, &seen);
    if (step.decision->tier == Tier::kCloud && !hold(call.step)) {
      step.decision = decide(call.step, &seen, true);
    }
    if (step.decision->action == Action::kAttempt && step.decision->votes >= step.calls &&
        step.calls <= item(call.step).voters()) {
      want(call.step, step.decision->votes);
      return;
    }
    step.is_attempt = false;
    conclude(call.step);
    step.tier = step.decision->tier;
    if (step.tier == Tier::kCloud) {
      call_cloud(call.step);
    } else {
      finish(call.step);
    }
  }

  [[nodiscard]] const Look& look_of(std::uint32_t index) const {
    return item(index).looks[steps_[index].calls - 1];
  }

  void finish(std::uint32_t index) {
    Step& step = steps_[index];
    const Item& what = item(index);
    step.state = State::kOver;
    double correct = 0;
    if (step.tier == Tier::kCloud) {
      const PicoUsd whole = scaled(what.usd, factor_);
      const PicoUsd usd = std::min(whole, step.most);
      const bool was_cut = usd < whole;  // And has no answer then.
      ledger_.settle(*step.reservation, {usd, Tokens(0)});
      step.reservation.reset();
      outcome_->usd += usd;
      correct = was_cut ? 0 : what.cloud_correct;
      result_.cut += was_cut ? 1 : 0;
      ++result_.to_cloud;
    } else {
      correct = step.was_tried ? look_of(index).correct : what.edge_correct;
      ++result_.to_edge;
    }
    note_overshoot();
    outcome_->correct += correct;
    is_all_correct_ = is_all_correct_ && correct >= 0.5;
    router_.learned(input_of(index), *step.decision,
                    {.tier = step.tier,
                     .correct = correct,
                     .attempt = step.was_tried ? &look_of(index).attempt : nullptr});
    for (const SubtaskId id : query_->graph.dependants(static_cast<SubtaskId>(index))) {
      Step& next = steps_[index_of(id)];
      if (--next.inputs_left == 0) next.state = State::kReady;
    }
  }

  // The last decision of a subtask is made.
  void conclude(std::uint32_t index) {
    router_.settled(input_of(index), *steps_[index].decision);
    --left_;
  }

  bool hold(std::uint32_t index) {
    Step& step = steps_[index];
    const Item& what = item(index);
    step.most = scaled(options_.knows_bills ? what.usd : what.worst, factor_);
    auto held = ledger_.reserve(scope_, {step.most, Tokens(0)});
    if (!held && !options_.knows_bills) {
      // The answer may be as long as the rest of the money lasts.
      const BudgetState state = ledger_.state(scope_);
      step.most = options_.limit - state.spent.usd - state.held.usd;
      if (step.most < scaled(what.likely, factor_)) return false;
      held = ledger_.reserve(scope_, {step.most, Tokens(0)});
    }
    if (!held) return false;
    step.reservation = *held;
    note_overshoot();
    return true;
  }

  Decision decide(std::uint32_t index, const hf::Attempt* attempt, bool edge_only = false) {
    RouteInput input = input_of(index);
    if (edge_only) input.candidates = input.candidates.first(1);
    const auto begun = std::chrono::steady_clock::now();
    Decision decision =
        attempt == nullptr ? router_.choose(input) : router_.review(input, *attempt);
    const auto took = std::chrono::steady_clock::now() - begun;
    result_.decision_ns.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(
        std::chrono::nanoseconds(took).count(), std::numeric_limits<std::uint32_t>::max())));
    HF_ASSERT(decision.tier == Tier::kEdge || !edge_only);
    return decision;
  }

  // Valid until the next call.
  RouteInput input_of(std::uint32_t index) {
    const Item& what = item(index);
    RouteInput input = known_of(*query_, static_cast<SubtaskId>(index), what.features);
    input.query = id_;
    input.voters = what.voters();
    input.vote_times = what.expected_vote_times;
    input.seed = options_.seed;
    input.elapsed = now_;
    input.budget = ledger_.state(scope_);
    const PicoUsd gone = input.budget.spent.usd + input.budget.held.usd;
    const double left = std::max(1.0, static_cast<double>(left_));
    input.allowance = Allowance{.left = options_.limit - gone,
                                .ahead = scaled(data_.mean_usd, factor_ * left),
                                .decisions = left,
                                .spent = spent_share()};
    candidates_[0] = {.endpoint = kEdge,
                      .tier = Tier::kEdge,
                      .expected_usd = {},
                      .expected_time = what.expected_edge_time,
                      .in_flight = on_edge_,
                      .max_in_flight = options_.edge_places};
    candidates_[1] = {.endpoint = kCloud,
                      .tier = Tier::kCloud,
                      .expected_usd = scaled(what.expected, factor_),
                      .expected_time = what.expected_cloud_time,
                      .in_flight = 0,
                      .max_in_flight = std::numeric_limits<std::uint32_t>::max()};
    input.candidates = candidates_;
    input.around.edge_places = options_.edge_places;
    describe_surroundings(input);
    return input;
  }

  void describe_surroundings(RouteInput& input) {
    if (steps_.size() == 1) return;
    times_.clear();
    for (std::uint32_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      const bool is_running = step.state == State::kRunning;
      const Duration rest = std::max(step.expected_end - now_, Duration(0));
      times_.push_back({.time = is_running ? rest : item(i).expected_edge_time,
                        .is_over = step.state == State::kOver,
                        .is_running = is_running,
                        .is_on_edge = step.tier == Tier::kEdge});
    }
    std::uint32_t from_edge = 0;
    const auto& inputs = relies_on(index_of(input.subtask));
    for (const SubtaskId id : inputs) from_edge += steps_[index_of(id)].tier == Tier::kEdge ? 1 : 0;
    input.around.steps = times_;
    input.around.tails = tails_;
    input.around.graph = &query_->graph;
    input.around.inputs = static_cast<std::uint32_t>(inputs.size());
    input.around.inputs_from_edge = from_edge;
  }

  [[nodiscard]] double spent_share() const {
    if (options_.limit <= PicoUsd(0)) return 1;
    return static_cast<double>(ledger_.state(scope_).spent.usd.count()) /
           static_cast<double>(options_.limit.count());
  }

  void note_overshoot() {
    const BudgetState state = ledger_.state(scope_);
    const PicoUsd over = state.spent.usd + state.held.usd - options_.limit;
    result_.overshoot = std::max(result_.overshoot, over);
  }

  const Prepared& data_;
  Router& router_;
  const StreamOptions options_;
  Ledger ledger_;
  ScopeId scope_{};
  StreamResult result_;
  std::size_t left_ = 0;  // Subtasks not yet decided on.
  double factor_ = 1;

  // Of the query that runs.
  const PreparedQuery* query_ = nullptr;
  QueryId id_{};
  QueryOutcome* outcome_ = nullptr;
  std::vector<Step> steps_;
  std::vector<Duration> tails_;
  std::vector<StepTime> times_;
  std::vector<Call> running_;
  std::vector<Duration> calls_;
  std::vector<std::uint32_t> order_;
  std::array<Candidate, 2> candidates_{};
  Duration now_{};
  std::uint32_t on_edge_ = 0;
  bool is_all_correct_ = true;
};

}  // namespace

double price_factor(const PriceChange& change, std::size_t place, std::size_t count) {
  return static_cast<double>(place) >= change.at * static_cast<double>(count) ? change.factor : 1;
}

StreamResult run_stream(const Prepared& data, std::span<const std::uint32_t> order, Router& router,
                        const StreamOptions& options) {
  return Stream(data, router, options).run(order);
}

}  // namespace hf::eval
