// "spar": slack-priced attempt and resolve (docs/routing.md).
//
// Every way to run a subtask is worth its gain less the price of its dollars and of the seconds by
// which it delays the query; the best one is taken. The edge gains nothing and costs nothing. The
// cloud gains what the predictor says. An attempt on the edge, looked at before it stands, is worth
// the positive part of what will be known then: for a gain of normal distribution with mean m and
// deviation s that is m Phi(m/s) + s phi(m/s), the value of the option to escalate.
//
// The price of a dollar comes from re-solving (route/reservoir.h), the price of a second from the
// options, rising towards a deadline. Seconds are those of the query's end, by list scheduling:
// what has slack is not charged.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/reservoir.h"

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
    double late = 0;   // Seconds by which the cloud ends the query later than the edge.
    double later = 0;  // The same for an attempt that is escalated.
    if (second_price > 0) {
      const Duration edge_time = with_queue(*edge);
      const double end = end_with(input, edge_time, true);
      late = end_with(input, cloud->expected_time, false) - end;
      later = end_with(input, edge_time + cloud->expected_time, true) - end;
    }
    const double by_cloud = gain - bill - second_price * late;
    const double by_attempt = options_.attempts ? positive_part(gain - bill - second_price * later,
                                                                input.weight * chances.spread)
                                                : 0;
    const bool to_cloud = by_cloud > std::max(by_attempt, 0.0);
    const bool tries = !to_cloud && by_attempt > 0;

    Decision decision;
    if (const auto drawn = explored(input)) {
      decision = pick(input, *drawn, "drawn to learn");
    } else if (tries) {
      decision = pick(input, Tier::kEdge,
                      Reason("an attempt is worth {:.3f}, the cloud {:.3f}", by_attempt, by_cloud));
      decision.action = Action::kAttempt;
      decision.votes = input.voters;
    } else {
      decision = pick(
          input, to_cloud ? Tier::kCloud : Tier::kEdge,
          Reason("gain {:.2f} {} its price {:.2f}", gain, to_cloud ? ">" : "<=", gain - by_cloud));
    }
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
    const double value = gain - usd_price * dollars(cloud->expected_usd) - second_price * later;
    const bool escalates = value > 0;
    Decision decision = pick(input, escalates || edge == nullptr ? Tier::kCloud : Tier::kEdge,
                             Reason("after an attempt: gain {:.2f} {} its price {:.2f}", gain,
                                    escalates ? ">" : "<=", gain - value));
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
      return !options_.attempts || each.has_voters == has_voters;
    };
    const bool are_enough = std::ranges::count_if(past, is_alike) >= kEnoughToRecall;
    for (const PastDecision& each : past) {
      if (are_enough && !is_alike(each)) continue;
      reservoir_.add((options_.attempts ? each.after : each.before).gain(), each.cost);
    }
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
