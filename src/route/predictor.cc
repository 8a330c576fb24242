#include "route/predictor.h"

#include <algorithm>

namespace hf {
namespace {

// Share of a full mark that `count` earns; `full` and more earn all of it.
double share(std::uint16_t count, double full) {
  return std::min(1.0, static_cast<double>(count) / full);
}

}  // namespace

double difficulty_of(const TaskFeatures& features, Role role) {
  if (features.difficulty != 0)
    return std::clamp(static_cast<double>(features.difficulty), 1.0, 9.0);
  double rating = 2.0;
  rating += 2.0 * share(features.words, 60);
  rating += 1.5 * share(features.numbers, 6);
  rating += 1.5 * share(features.operators, 6);
  rating += 1.0 * share(features.choices, 4);
  rating += 1.0 * share(features.code, 4);
  if (role == Role::kExplain) rating -= 0.5;
  if (role == Role::kGenerate) rating += 0.5;
  return std::clamp(rating, 1.0, 9.0);
}

Chances chances(const TaskFeatures& features, Role role, bool is_whole_question) {
  const double hardness = (difficulty_of(features, role) - 1.0) / 8.0;
  Chances result;
  result.edge = 0.90 - 0.60 * hardness;
  result.cloud = 0.97 - 0.25 * hardness;
  if (is_whole_question) {  // Several steps at once are where a small model loses the thread.
    result.edge -= 0.10;
    result.cloud -= 0.02;
  }
  return result;
}

}  // namespace hf
