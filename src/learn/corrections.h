// What has been learned since training on top of one set of weights: a running correction for each
// probability that a router asks for, and their text, from which they go on to the bit.
//
// Does not decide what is learned (eval/promotion.h) nor when it is used. Thread safety: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "learn/online.h"

namespace hf::learn {

// What a correction may depend on: a constant and the chance itself.
inline constexpr std::size_t kCorrectionInputs = 2;

struct Corrections {
  OnlineHead edge{kCorrectionInputs};  // Of a first result of the edge,
  OnlineHead kept{kCorrectionInputs};  // of one that an attempt would keep,
  OnlineHead cloud{kCorrectionInputs};

  friend bool operator==(const Corrections&, const Corrections&) = default;
};

// The chance that training gives, corrected; 0.001 to 0.999.
[[nodiscard]] double corrected(const OnlineHead& head, double chance, std::uint32_t category);

// A result whose chance was `chance` turned out right to the degree `correct`, 0 to 1.
void learn_from(OnlineHead& head, double chance, std::uint32_t category, double correct,
                double weight = 1);

// Printable, without blanks or quotes; a few hundred bytes. The same value always gives the same
// text.
std::string to_text(const Corrections& corrections);

// kInvalidInput for anything that to_text() of this version did not write.
Result<Corrections> corrections_from(std::string_view text);

}  // namespace hf::learn
