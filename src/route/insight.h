// What is to be expected of looking at an attempt: how far the gain of the cloud will move by it,
// and by how much the kept answer will be better than the first, with so many voters asked.
//
// Read off the calibration rows, along a curve that saturates: the first voters tell most.
// Thread safety: none needed; nothing changes after construction, nothing is allocated.
#pragma once

#include <cstddef>
#include <span>

#include "route/predictor.h"

namespace hf {

class Insight {
 public:
  // Of no rows: nothing is to be expected of voters.
  explicit Insight(std::span<const PastDecision> past);

  // Deviation of the gain after `votes` voters from the one after `seen` of them, at most `votes`,
  // where it is `chances.spread` on the whole; from the one expected before, if none was tried.
  [[nodiscard]] double spread(const Chances& chances, std::size_t votes) const;
  [[nodiscard]] double further_spread(const Chances& chances, std::size_t seen,
                                      std::size_t votes) const;

  // By how much the kept answer's chance will exceed that of the one kept after `seen` voters.
  [[nodiscard]] double lift(const Chances& chances, std::size_t seen, std::size_t votes) const;

 private:
  [[nodiscard]] double variance(std::size_t votes) const;  // In units of that on the whole.

  double variance_alone_ = 1;  // Without voters,
  double variance_votes_ = 0;  // and what endless ones would add.
  double lift_ = 0;            // Of endless voters, per p(1-p) of the first answer's chance p.
};

}  // namespace hf
