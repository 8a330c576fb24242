// "spar": slack-priced attempt and resolve (docs/routing.md).
//
// Every way to run a subtask is worth its gain less the price of its dollars and of the seconds by
// which it delays the query; the best one is taken. The edge gains nothing and costs nothing. The
// cloud gains what the predictor says. An attempt on the edge, looked at before it stands, is worth
// the positive part of what will be known then: for a gain of normal distribution with mean m and
// deviation s that is m Phi(m/s) + s phi(m/s), the value of the option to escalate. Every voter
// makes s larger and the kept answer better, and takes time: as many are asked as is worth most
// (route/insight.h), and after each look again.
//
// The price of a dollar comes from re-solving (route/reservoir.h), the price of a second from the
// options, rising towards a deadline. Seconds are those of the query's end, by list scheduling:
// what has slack is not charged.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "route/insight.h"
#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/reservoir.h"
#include "route/vote.h"

namespace hf {
namespace {

constexpr std::size_t kReservoir = 1024;
constexpr std::ptrdiff_t kEnoughToRecall = 100;
constexpr double kUrgency = 4;       // Exponent of the time price at the deadline.
constexpr double kUrgentFrom = 0.8;  // Share of the deadline from which on the price rises.

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// E[max(0, X)] of a normal X.
double positive_part(double mean, double deviation) {
  if (deviation <= 0) return std::max(mean, 0.0);
  const double z = mean / deviation;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  const double below = std::erfc(-z / std::numbers::sqrt2) / 2;
  return mean * below + deviation * density;
}

// The wait for a place among calls that are under way, if all take as long.
Duration with_queue(const Candidate& at) {
  const auto places = std::max<std::int64_t>(at.max_in_flight, 1);
  const std::int64_t before = std::max<std::int64_t>(0, at.in_flight + 1 - places);
  return at.expected_time + at.expected_time * before / places;
}

class SparPolicy : public Router {
 public:
  SparPolicy(const SparOptions& options, std::shared_ptr<const learn::Model> model)
      : options_(options),
        predictor_(std::move(model),
                   {.is_calibrated = options.calibration, .learns = options.online}),
        insight_(predictor_.past()),
        reservoir_(kReservoir) {}

  Decision choose(const RouteInput& input) override {
    const Candidate* edge = best_of(input.candidates, Tier::kEdge);
    const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
    if (cloud == nullptr) return pick(input, Tier::kEdge, "only the edge can do it");
    if (edge == nullptr) return pick(input, Tier::kCloud, "only the cloud can do it");
    recall(input.voters > 0);

    const Chances chances = predictor_.before(input);
    const double gain = input.weight * chances.gain();
    const double usd_price = price_of_usd(input, *cloud);
    const double second_price = price_of_second(input);
    const double bill = usd_price * dollars(cloud->expected_usd);
    double late = 0;  // Seconds by which the cloud ends the query later than the edge.
    if (second_price > 0) {
      late =
          end_with(input, cloud->expected_time, false) - end_with(input, with_queue(*edge), true);
    }
    const double by_cloud = gain - bill - second_price * late;
    const Look look = !options_.attempts ? Look()
                                         : best_look(input, chances,
                                                     {.first = with_queue(*edge),
                                                      .cloud = cloud->expected_time,
                                                      .net = gain - bill,
                                                      .second_price = second_price});
    const double by_attempt = look.worth;
    const bool to_cloud = by_cloud > std::max(by_attempt, 0.0);
    const bool tries = !to_cloud && by_attempt > 0;

    Decision decision;
    if (const auto drawn = explored(input)) {
      decision = pick(input, *drawn, "drawn to learn");
    } else if (tries) {
      decision = pick(input, Tier::kEdge,
                      Reason("an attempt is worth {:.3f}, the cloud {:.3f}", by_attempt, by_cloud));
      decision.action = Action::kAttempt;
      decision.votes = look.votes;
    } else {
      decision = pick(
          input, to_cloud ? Tier::kCloud : Tier::kEdge,
          Reason("gain {:.2f} {} its price {:.2f}", gain, to_cloud ? ">" : "<=", gain - by_cloud));
    }
    note(chances, decision);
    decision.utility = gain;
    decision.threshold = gain - by_cloud;
    decision.usd_price = usd_price;
    decision.time_price = second_price;
    decision.propensity = propensity(decision, tries, to_cloud);
    add(decision,
        {edge->endpoint, Action::kRun, chances.edge, 0, edge->expected_usd, edge->expected_time});
    add(decision, {cloud->endpoint, Action::kRun, chances.cloud, by_cloud, cloud->expected_usd,
                   cloud->expected_time});
    if (options_.attempts) {
      add(decision, {edge->endpoint, Action::kAttempt, chances.edge, by_attempt, edge->expected_usd,
                     edge->expected_time});
    }
    return decision;
  }

  Decision review(const RouteInput& input, const Attempt& attempt) override {
    const Candidate* edge = best_of(input.candidates, Tier::kEdge);
    const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
    if (cloud == nullptr) return pick(input, Tier::kEdge, "only the edge can do it");
    recall(attempt.voters > 0);

    const Chances chances = predictor_.after(input, attempt);
    const double gain = input.weight * chances.gain();
    const double usd_price = price_of_usd(input, *cloud);
    const double second_price = price_of_second(input);
    double later = 0;
    if (second_price > 0) {
      later = end_with(input, cloud->expected_time, false) - end_with(input, Duration(0), false);
    }
    const double net = gain - usd_price * dollars(cloud->expected_usd);
    const double value = net - second_price * later;
    const bool escalates = value > 0;
    const double best = std::max(value, 0.0);
    Look look;
    if (options_.attempts && edge != nullptr && attempt.voters < input.voters) {
      Chances now = chances;
      now.spread = predictor_.before(input).spread;
      look = best_look(input, now,
                       {.cloud = cloud->expected_time,
                        .net = net,
                        .second_price = second_price,
                        .seen = attempt.voters});
    }
    const bool asks_on = look.worth > best && look.votes > attempt.voters;
    Decision decision =
        asks_on
            ? pick(input, Tier::kEdge,
                   Reason("another look is worth {:.3f}, the best now {:.3f}", look.worth, best))
            : pick(input, escalates || edge == nullptr ? Tier::kCloud : Tier::kEdge,
                   Reason("after an attempt: gain {:.2f} {} its price {:.2f}", gain,
                          escalates ? ">" : "<=", gain - value));
    note(chances, decision);
    if (asks_on) {
      decision.action = Action::kAttempt;
      decision.votes = look.votes;
    }
    decision.utility = gain;
    decision.threshold = gain - value;
    decision.usd_price = usd_price;
    decision.time_price = second_price;
    if (edge != nullptr) {
      add(decision, {edge->endpoint, Action::kRun, chances.edge, 0, {}, {}});
    }
    add(decision, {cloud->endpoint, Action::kRun, chances.cloud, value, cloud->expected_usd,
                   cloud->expected_time});
    return decision;
  }

  void settled(const RouteInput& input, const Decision& decision) override {
    const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
    if (cloud == nullptr || cloud->expected_usd <= PicoUsd(0)) return;
    if (!first_price_) first_price_ = price_of_usd(input, *cloud);
    reservoir_.add(decision.utility, relative_cost(input));
  }

  void learned(const RouteInput& input, const Decision&, const Lesson& lesson) override {
    predictor_.learn(input, lesson);
  }

 private:
  // Starts from the calibration rows that were decided on as it will be here: what votes show makes
  // other gains than what one attempt shows. All of them, if there are too few.
  void recall(bool has_voters) {
    if (has_recalled_) return;
    has_recalled_ = true;
    const std::vector<PastDecision> past = predictor_.past();
    const auto is_alike = [&](const PastDecision& each) {
      return !options_.attempts || (each.voters > 0) == has_voters;
    };
    const bool are_enough = std::ranges::count_if(past, is_alike) >= kEnoughToRecall;
    for (const PastDecision& each : past) {
      if (are_enough && !is_alike(each)) continue;
      reservoir_.add((options_.attempts ? each.after : each.before).gain(), each.cost);
    }
  }

  // What a look at a result of the edge is weighed by.
  struct Weighing {
    Duration first{};  // Until there is a result, if there is none.
    Duration cloud{};
    double net = 0;  // Gain of the cloud less its bill, as far as known.
    double second_price = 0;
    std::optional<std::uint8_t> seen = {};  // How many have voted, if there is a result.
  };
  struct Look {
    double worth = 0;
    std::uint8_t votes = 0;  // That have voted by then.
  };

  // The look that is worth most: with what voters tell, for the time that they take.
  Look best_look(const RouteInput& input, const Chances& chances, const Weighing& weighing) {
    const int begun = weighing.seen.value_or(0);
    const int least = weighing.seen ? begun + 1 : 0;
    const bool is_timed = weighing.second_price > 0;
    const double start = is_timed ? end_with(input, weighing.first, true) : 0;
    Look best{.worth = -1};
    // Where time is free, more voters are never worse.
    for (int votes = is_timed ? least : input.voters; votes <= input.voters; ++votes) {
      double late = 0;   // Seconds by which the look itself ends the query later,
      double later = 0;  // and those by which escalating then does.
      if (is_timed) {
        const Duration time = time_of_look(input, weighing.first, begun, votes);
        const double end = end_with(input, time, true);
        late = end - start;
        later = end_with(input, time + weighing.cloud, true) - end;
      }
      const auto from = static_cast<std::size_t>(begun);
      const auto to = static_cast<std::size_t>(votes);
      const double lift = input.weight * insight_.lift(chances, from, to);
      const double spread =
          input.weight * (weighing.seen ? insight_.further_spread(chances, from, to)
                                        : insight_.spread(chances, to));
      const double worth =
          lift - weighing.second_price * late +
          positive_part(weighing.net - lift - weighing.second_price * later, spread);
      if (worth > best.worth) best = {worth, static_cast<std::uint8_t>(votes)};
    }
    // Where one call runs after the other anyway, each may be looked at before the next.
    if (is_timed && input.around.edge_places == 1) {
      best.votes = std::min(best.votes, static_cast<std::uint8_t>(least));
    }
    return best;
  }

  // How long the calls until then take.
  static Duration time_of_look(const RouteInput& input, Duration first, int begun, int votes) {
    std::array<Duration, UINT8_MAX + 1> calls;
    std::size_t count = 0;
    if (first > Duration(0)) calls[count++] = first;
    const auto known =
        std::min<std::size_t>(static_cast<std::size_t>(votes), input.vote_times.size());
    for (auto i = static_cast<std::size_t>(begun); i < known; ++i) {
      calls[count++] = input.vote_times[i];
    }
    return time_of_calls(std::span(calls).first(count), input.around.edge_places);
  }

  [[nodiscard]] double price_of_usd(const RouteInput& input, const Candidate& cloud) const {
    if (!input.allowance || cloud.expected_usd <= PicoUsd(0)) return 0;
    if (!options_.resolve && first_price_) return *first_price_;
    const double price = reservoir_.price(affordable_share(input));
    return price * relative_cost(input) / dollars(cloud.expected_usd);
  }

  [[nodiscard]] double price_of_second(const RouteInput& input) const {
    if (!input.deadline || options_.second_price <= 0) return options_.second_price;
    const double used = in_seconds(input.elapsed) / std::max(in_seconds(*input.deadline), 1e-9);
    return options_.second_price * std::exp(kUrgency * std::clamp(used - kUrgentFrom, 0.0, 1.0));
  }

  // When the query ends, in seconds from now, if this step takes `time`.
  double end_with(const RouteInput& input, Duration time, bool is_on_edge) {
    const Surroundings& around = input.around;
    if (around.graph == nullptr || !options_.slack) return in_seconds(time);
    steps_.assign(around.steps.begin(), around.steps.end());
    steps_[index_of(input.subtask)] = {
        .time = time, .is_over = false, .is_running = !is_on_edge, .is_on_edge = is_on_edge};
    return in_seconds(schedule_.makespan(*around.graph, steps_, around.tails, around.edge_places));
  }

  [[nodiscard]] std::optional<Tier> explored(const RouteInput& input) const {
    const double luck = draw(input);
    if (luck >= options_.explore) return std::nullopt;
    return luck * 2 < options_.explore ? Tier::kCloud : Tier::kEdge;
  }

  [[nodiscard]] double propensity(const Decision& decision, bool tries, bool to_cloud) const {
    const bool is_wish = decision.action == Action::kAttempt
                             ? tries
                             : !tries && (decision.tier == Tier::kCloud) == to_cloud;
    const double drawn = decision.action == Action::kAttempt ? 0 : options_.explore / 2;
    return drawn + (is_wish ? 1 - options_.explore : 0);
  }

  static void add(Decision& decision, const Alternative& alternative) {
    if (decision.alternatives.size() < kAlternativesMax)
      decision.alternatives.push_back(alternative);
  }

  const SparOptions options_;
  Predictor predictor_;
  const Insight insight_;
  Reservoir reservoir_;
  bool has_recalled_ = false;
  std::optional<double> first_price_;
  ListSchedule schedule_;
  std::vector<StepTime> steps_;  // Scratch.
};

}  // namespace

std::unique_ptr<Router> make_spar_policy(const SparOptions& options,
                                         std::shared_ptr<const learn::Model> model) {
  return std::make_unique<SparPolicy>(options, std::move(model));
}

}  // namespace hf
