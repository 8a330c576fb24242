#include "store/slice.h"

#include <algorithm>
#include <cstdint>

namespace hf::store {
namespace {

constexpr std::int64_t kShare = 8;  // With four processes half stays for whoever comes next.
constexpr std::int64_t kFirstCalls = 4;

template <class Unit>
Unit slice_of(Unit least, Unit recent, Unit left) {
  const std::int64_t cap = std::max<std::int64_t>(left.count() / kShare, 0);
  // Capped before it is multiplied, so that no product overflows.
  const auto times = [&](Unit unit, std::int64_t factor) {
    return std::min(unit.count(), cap) * factor;
  };
  const std::int64_t target = std::max(times(recent, 2), times(least, kFirstCalls));
  return std::max(least, Unit(std::min(target, cap)));
}

}  // namespace

Amounts slice(const SliceInput& input) {
  return {slice_of(input.least.usd, input.recent.usd, input.left.usd),
          slice_of(input.least.cloud_tokens, input.recent.cloud_tokens, input.left.cloud_tokens)};
}

}  // namespace hf::store
