#include "route/insight.h"

#include <algorithm>
#include <cmath>

namespace hf {
namespace {

constexpr double kHalfKnown = 2;  // Voters after which half of all is known that voters can tell.
constexpr double kLeastRows = 50;

double told(std::size_t votes) {
  const auto count = static_cast<double>(votes);
  return count / (count + kHalfKnown);
}

// How uncertain the first answer is: nothing lifts what is sure.
double room(const Chances& chances) {
  return chances.edge * (1 - chances.edge);
}

}  // namespace

Insight::Insight(std::span<const PastDecision> past) {
  // Least squares: squared moves of the gain on (1, told), lifts on told * room.
  double rows = 0;
  double x = 0;
  double xx = 0;
  double y = 0;
  double xy = 0;
  double lift_xx = 0;
  double lift_xy = 0;
  double voted = 0;
  for (const PastDecision& each : past) {
    if (!each.was_tried) continue;
    const double share = told(each.voters);
    const double move = each.after.gain() - each.before.gain();
    rows += 1;
    x += share;
    xx += share * share;
    y += move * move;
    xy += share * move * move;
    voted += each.voters > 0 ? 1 : 0;
    lift_xx += share * share * room(each.before) * room(each.before);
    lift_xy += share * room(each.before) * (each.after.edge - each.before.edge);
  }
  if (voted < kLeastRows || y <= 0) return;
  if (lift_xx > 0) lift_ = std::max(0.0, lift_xy / lift_xx);
  const double whole = y / rows;
  const double spread_x = xx - x * x / rows;
  // Rows that all had as many voters do not tell what a result alone says: nothing, then.
  const double slope = spread_x > 1e-9 * xx ? std::max(0.0, (xy - x * y / rows) / spread_x) : y / x;
  const double alone = std::max(0.0, whole - slope * x / rows);
  variance_alone_ = alone / whole;
  variance_votes_ = slope / whole;
}

double Insight::variance(std::size_t votes) const {
  return variance_alone_ + variance_votes_ * told(votes);
}

double Insight::spread(const Chances& chances, std::size_t votes) const {
  return chances.spread * std::sqrt(variance(votes));
}

double Insight::further_spread(const Chances& chances, std::size_t seen, std::size_t votes) const {
  return chances.spread * std::sqrt(std::max(0.0, variance(votes) - variance(seen)));
}

double Insight::lift(const Chances& chances, std::size_t seen, std::size_t votes) const {
  return lift_ * (told(votes) - told(seen)) * room(chances);
}

}  // namespace hf
