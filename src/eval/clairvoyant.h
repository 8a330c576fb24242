// Policies that were told something of the future: the optimum of the true outcomes, and the same
// of predicted ones, which tells what is lost by predicting from what is lost by deciding.
//
// Thread safety: may be asked from several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "eval/prepared.h"
#include "learn/model.h"
#include "route/predictor.h"
#include "route/router.h"

namespace hf::eval {

enum class Foresight : std::uint8_t {
  kOutcomes,          // "oracle": the first edge result or the cloud, by true outcomes.
  kActions,           // "oracle-actions": what an attempt keeps is a third choice.
  kPredictions,       // "oracle-on-predictions": as the first, on the gains predicted beforehand.
  kPredictionsAfter,  // "oracle-on-attempts": all are tried; on the gains predicted after that.
  kForecasts,       // "oracle-on-forecasts": as on predictions, but costs are known only when paid:
                    // the best predicted ratios of gain to cost for which the money lasts.
  kForecastsAfter,  // "oracle-on-attempt-forecasts": the same after attempts.
};

[[nodiscard]] std::string_view name_of(Foresight foresight);
[[nodiscard]] std::optional<Foresight> foresight_named(std::string_view name);

enum class Course : std::uint8_t { kEdge, kKeep, kCloud, kTryThenCloud };

struct Foreseen {
  std::vector<Course> courses;  // By item.
  PicoUsd cost;
  bool is_exact = true;  // Or the search was cut short: the optimum of predictions may be better.
};

class Clairvoyant {
 public:
  // `model` may be null. The data must outlive this.
  Clairvoyant(const Prepared& data, std::shared_ptr<const learn::Model> model);

  // The knapsack of all items, exact for true outcomes. `factors`: by which each query's prices are
  // multiplied; empty: 1.
  [[nodiscard]] Foreseen plan(Foresight foresight, PicoUsd limit,
                              std::span<const double> factors) const;

 private:
  [[nodiscard]] Foreseen by_forecast(bool is_after, PicoUsd limit,
                                     std::span<const double> factors) const;

  const Prepared& data_;
  std::vector<Chances> before_;
  std::vector<Chances> after_;
};

// Does as planned. Both must outlive it.
[[nodiscard]] std::unique_ptr<Router> make_planned(const Prepared& data, const Foreseen& plan);

}  // namespace hf::eval
