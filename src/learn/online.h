// What has been learned since training: a running correction of a head's probability, from the
// residuals (seen minus predicted) of the answers that were judged.
//
// Recursive least squares with forgetting over a short vector, and below it the mean of what
// remains for each category, shrunk towards 0 while there are few rows. The state is plain data;
// memory is fixed and nothing is allocated. Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace hf::learn {

inline constexpr std::size_t kOnlineInputsMax = 16;
inline constexpr std::size_t kOnlineCategories = 256;

struct OnlineCategory {
  std::uint32_t key = 0;
  double rows = 0;  // Effective number; 0 is a free place.
  double mean = 0;

  friend bool operator==(const OnlineCategory&, const OnlineCategory&) = default;
};

struct OnlineState {
  std::uint32_t inputs = 0;
  std::uint64_t updates = 0;
  std::array<double, kOnlineInputsMax> weights{};
  // Lower triangle, so that it cannot lose its symmetry.
  std::array<double, kOnlineInputsMax*(kOnlineInputsMax + 1) / 2> covariance{};
  std::array<OnlineCategory, kOnlineCategories> categories{};

  friend bool operator==(const OnlineState&, const OnlineState&) = default;
};

class OnlineHead {
 public:
  static constexpr double kForgetting = 0.997;
  static constexpr double kPriorRows = 8;  // Rows in favour of "no correction", here and there.

  // Knows nothing yet. REQUIRES: 1 to kOnlineInputsMax inputs.
  explicit OnlineHead(std::size_t inputs);

  // Continues from a saved state; refuses one that no OnlineHead can have had.
  static Result<OnlineHead> restore(const OnlineState& state);

  // What to add to the predicted probability, -1 to 1. REQUIRES: as many inputs as at the start.
  [[nodiscard]] double correction(std::span<const double> inputs, std::uint32_t category) const;

  // An answer came out `residual` better than predicted, -1 to 1, and counts as `weight` of a row.
  // Numbers that are not finite are ignored, absurd ones cut. REQUIRES: as for correction(); a
  // weight above 0 and at most 1.
  void learn(std::span<const double> inputs, std::uint32_t category, double residual,
             double weight = 1);

  [[nodiscard]] const OnlineState& state() const { return state_; }

  friend bool operator==(const OnlineHead&, const OnlineHead&) = default;

 private:
  OnlineHead() = default;
  void forget_all_certainty();
  void learn_weights(std::span<const double> inputs, double residual, double weight);
  OnlineCategory& place_of(std::uint32_t category);

  OnlineState state_;
};

}  // namespace hf::learn
