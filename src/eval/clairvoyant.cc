#include "eval/clairvoyant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "eval/oracle.h"
#include "route/pick.h"

namespace hf::eval {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"oracle",
                                                    "oracle-actions",
                                                    "oracle-on-predictions",
                                                    "oracle-on-attempts",
                                                    "oracle-on-forecasts",
                                                    "oracle-on-attempt-forecasts"};
// Predictions differ in every digit, which makes the last of the optimum dear and worth nothing.
constexpr std::size_t kPredictedWorkMax = 1'000'000;

class PlannedRouter : public Router {
 public:
  PlannedRouter(const Prepared& data, const Foreseen& plan) : data_(data), plan_(plan) {}

  Decision choose(const RouteInput& input) override {
    const Course course = course_of(input);
    if (course == Course::kCloud) return pick(input, Tier::kCloud, "as foreseen");
    Decision decision = pick(input, Tier::kEdge, "as foreseen");
    if (course == Course::kEdge) return decision;
    decision.action = Action::kAttempt;
    decision.votes = input.voters;
    return decision;
  }

  Decision review(const RouteInput& input, const hf::Attempt&) override {
    return pick(input, course_of(input) == Course::kTryThenCloud ? Tier::kCloud : Tier::kEdge,
                "as foreseen");
  }

 private:
  [[nodiscard]] Course course_of(const RouteInput& input) const {
    const PreparedQuery& query = data_.queries[static_cast<std::size_t>(input.query) - 1];
    return plan_.courses[query.first + index_of(input.subtask)];
  }

  const Prepared& data_;
  const Foreseen& plan_;
};

}  // namespace

std::string_view name_of(Foresight foresight) {
  return kNames[static_cast<std::size_t>(foresight)];
}

std::optional<Foresight> foresight_named(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Foresight>(found - kNames.begin());
}

Clairvoyant::Clairvoyant(const Prepared& data, std::shared_ptr<const learn::Model> model)
    : data_(data) {
  const Predictor predictor(std::move(model));
  before_.reserve(data.items.size());
  after_.reserve(data.items.size());
  for (const PreparedQuery& query : data.queries) {
    for (std::size_t i = 0; i < query.graph.size(); ++i) {
      const Item& item = data.items[query.first + i];
      const RouteInput input = known_of(query, static_cast<SubtaskId>(i), item.features);
      before_.push_back(predictor.before(input));
      after_.push_back(predictor.after(input, item.last_look().attempt));
    }
  }
}

Foreseen Clairvoyant::by_forecast(bool is_after, PicoUsd limit,
                                  std::span<const double> factors) const {
  struct Wish {
    double ratio = 0;
    std::size_t item = 0;
    std::int64_t cost = 0;
  };
  std::vector<Wish> wishes;
  for (std::size_t q = 0; q < data_.queries.size(); ++q) {
    const PreparedQuery& query = data_.queries[q];
    const double factor = factors.empty() ? 1 : factors[q];
    for (std::size_t i = query.first; i < query.first + query.graph.size(); ++i) {
      const Item& item = data_.items[i];
      const double gain = (is_after ? after_ : before_)[i].gain();
      const double expected = std::max(static_cast<double>(item.expected.count()) * factor, 1.0);
      if (gain <= 0) continue;
      wishes.push_back({gain / expected, i,
                        static_cast<std::int64_t>(
                            std::llround(static_cast<double>(item.usd.count()) * factor))});
    }
  }
  std::ranges::sort(wishes, {}, [](const Wish& wish) { return std::pair(-wish.ratio, wish.item); });
  Foreseen plan;
  plan.courses.assign(data_.items.size(), is_after ? Course::kKeep : Course::kEdge);
  for (const Wish& wish : wishes) {
    if (plan.cost + PicoUsd(wish.cost) > limit) continue;
    plan.cost += PicoUsd(wish.cost);
    plan.courses[wish.item] = is_after ? Course::kTryThenCloud : Course::kCloud;
  }
  return plan;
}

Foreseen Clairvoyant::plan(Foresight foresight, PicoUsd limit,
                           std::span<const double> factors) const {
  if (foresight == Foresight::kForecasts || foresight == Foresight::kForecastsAfter) {
    return by_forecast(foresight == Foresight::kForecastsAfter, limit, factors);
  }
  const bool is_predicted =
      foresight == Foresight::kPredictions || foresight == Foresight::kPredictionsAfter;
  std::vector<std::vector<OracleOption>> groups(data_.items.size());
  std::vector<std::vector<Course>> courses(data_.items.size());
  for (std::size_t q = 0; q < data_.queries.size(); ++q) {
    const PreparedQuery& query = data_.queries[q];
    const double factor = factors.empty() ? 1 : factors[q];
    for (std::size_t i = query.first; i < query.first + query.graph.size(); ++i) {
      const Item& item = data_.items[i];
      const auto add = [&](Course course, double value, std::int64_t cost) {
        groups[i].push_back({value_units(value), cost});
        courses[i].push_back(course);
      };
      const auto cost =
          static_cast<std::int64_t>(std::llround(static_cast<double>(item.usd.count()) * factor));
      switch (foresight) {
        case Foresight::kActions:
          add(Course::kKeep, item.last_look().correct, 0);
          [[fallthrough]];
        case Foresight::kOutcomes:
          add(Course::kEdge, item.edge_correct, 0);
          add(Course::kCloud, item.cloud_correct, cost);
          break;
        case Foresight::kPredictions:
          add(Course::kEdge, before_[i].edge, 0);
          add(Course::kCloud, before_[i].cloud, cost);
          break;
        case Foresight::kPredictionsAfter:
          add(Course::kKeep, after_[i].edge, 0);
          add(Course::kTryThenCloud, after_[i].cloud, cost);
          break;
        case Foresight::kForecasts:
        case Foresight::kForecastsAfter:
          break;  // Above.
      }
    }
  }
  const auto choice =
      best_choices(groups, limit.count(), is_predicted ? kPredictedWorkMax : kOracleWorkMax);
  Foreseen plan;
  plan.courses.reserve(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    plan.courses.push_back(courses[i][choice ? choice->chosen[i] : 0]);
  }
  if (choice) {
    plan.cost = PicoUsd(choice->cost);
    plan.is_exact = choice->is_exact;
  }
  return plan;
}

std::unique_ptr<Router> make_planned(const Prepared& data, const Foreseen& plan) {
  return std::make_unique<PlannedRouter>(data, plan);
}

}  // namespace hf::eval
