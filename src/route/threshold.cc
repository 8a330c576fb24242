#include "route/threshold.h"

#include <algorithm>

namespace hf {

double threshold_for(std::span<Scored> past, double share, double floor) {
  std::ranges::sort(past, std::ranges::greater(), &Scored::score);
  double money = 0;
  for (const Scored& each : past) money += each.cost * share;
  if (share <= 0 && !past.empty()) return std::max(floor, past.front().score + 1);
  for (const Scored& each : past) {
    if (each.score <= floor) break;
    money -= each.cost;
    if (money < 0) return each.score;
  }
  return floor;
}

}  // namespace hf
