#include "route/reservoir.h"

#include <algorithm>

#include "base/assert.h"

namespace hf {
namespace {

constexpr double kLeastUsd = 1e-12;

}  // namespace

Reservoir::Reservoir(std::size_t capacity) : capacity_(capacity) {
  HF_ASSERT(capacity > 0);
  by_ratio_.reserve(capacity + 1);
  ring_.reserve(capacity);
}

void Reservoir::add(double gain, double usd) {
  usd = std::max(usd, kLeastUsd);
  const Entry entry{gain / usd, usd, added_};
  const auto is_better = [](const Entry& a, const Entry& b) {
    return a.ratio != b.ratio ? a.ratio > b.ratio : a.order < b.order;
  };
  const std::size_t slot = added_ % capacity_;
  if (by_ratio_.size() == capacity_) {
    const Entry oldest{ring_[slot], 0, added_ - capacity_};
    const auto at = std::ranges::lower_bound(by_ratio_, oldest, is_better);
    HF_ASSERT(at != by_ratio_.end() && at->order == oldest.order);
    usd_sum_ -= at->usd;
    by_ratio_.erase(at);
    ring_[slot] = entry.ratio;
  } else {
    ring_.push_back(entry.ratio);
  }
  by_ratio_.insert(std::ranges::upper_bound(by_ratio_, entry, is_better), entry);
  usd_sum_ += usd;
  ++added_;
}

double Reservoir::price(double share) const {
  if (by_ratio_.empty() || share >= 1) return 0;
  const double money = std::max(share, 0.0) * usd_sum_;
  double used = 0;
  for (const Entry& entry : by_ratio_) {
    if (entry.ratio <= 0) return 0;
    used += entry.usd;
    if (used > money) return entry.ratio;
  }
  return 0;
}

}  // namespace hf
