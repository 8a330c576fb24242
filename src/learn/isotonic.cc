#include "learn/isotonic.h"

#include <algorithm>
#include <tuple>

#include "learn/numeric.h"

namespace hf::learn {
namespace {

IsotonicBlock joined(const IsotonicBlock& a, const IsotonicBlock& b) {
  const double weight = a.weight + b.weight;
  return {(a.score * a.weight + b.score * b.weight) / weight,
          (a.target * a.weight + b.target * b.weight) / weight, weight};
}

// What the sum of squares grows by if the two become one.
double cost_of_joining(const IsotonicBlock& a, const IsotonicBlock& b) {
  const double apart = a.target - b.target;
  return apart * apart * a.weight * b.weight / (a.weight + b.weight);
}

}  // namespace

std::vector<IsotonicBlock> pooled(std::span<const IsotonicRow> rows) {
  std::vector<IsotonicRow> sorted(rows.begin(), rows.end());
  std::ranges::sort(sorted, {}, [](const IsotonicRow& row) {
    return std::tuple(row.score, row.target, row.weight);
  });
  std::vector<IsotonicBlock> blocks;
  for (std::size_t i = 0; i < sorted.size();) {
    const double score = sorted[i].score;
    IsotonicBlock block{score, sorted[i].target, sorted[i].weight};
    for (++i; i < sorted.size() && sorted[i].score == score; ++i) {
      block = joined(block, {score, sorted[i].target, sorted[i].weight});
      block.score = score;
    }
    while (!blocks.empty() && blocks.back().target >= block.target) {
      block = joined(blocks.back(), block);
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  return blocks;
}

std::vector<IsotonicBlock> merged(std::vector<IsotonicBlock> blocks, std::size_t count,
                                  double weight_min) {
  count = std::max<std::size_t>(count, 1);
  while (blocks.size() > 1) {
    const bool is_crowded = blocks.size() > count;
    std::size_t best = blocks.size();
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
      const bool is_light = std::min(blocks[i].weight, blocks[i + 1].weight) < weight_min;
      if (!is_crowded && !is_light) continue;
      if (best == blocks.size() || cost_of_joining(blocks[i], blocks[i + 1]) <
                                       cost_of_joining(blocks[best], blocks[best + 1])) {
        best = i;
      }
    }
    if (best == blocks.size()) break;
    blocks[best] = joined(blocks[best], blocks[best + 1]);
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  return blocks;
}

double IsotonicMap::operator()(double score) const {
  if (scores.empty()) return std::clamp(sigmoid(score), kLowest, kHighest);
  const auto above =
      static_cast<std::size_t>(std::ranges::upper_bound(scores, score) - scores.begin());
  if (above == 0) return values.front();
  if (above == scores.size()) return values.back();
  const double share = (score - scores[above - 1]) / (scores[above] - scores[above - 1]);
  const double value = values[above - 1] + share * (values[above] - values[above - 1]);
  return std::clamp(value, values[above - 1], values[above]);  // Rounding must not break the order.
}

IsotonicMap fit_isotonic(std::span<const IsotonicRow> rows) {
  IsotonicMap map;
  if (rows.size() < kIsotonicRowsMin) return map;
  double weight = 0;
  for (const IsotonicRow& row : rows) weight += row.weight;
  // A knot stands for 40 rows at least: fewer make certainties of chance, above all at the ends.
  const double least = 40 * weight / static_cast<double>(rows.size());
  const auto blocks = merged(pooled(rows), IsotonicMap::kKnotsMax, least);
  for (const IsotonicBlock& block : blocks) {
    // Rounding may give two blocks one centre; the later then says nothing more.
    if (!map.scores.empty() && !(block.score > map.scores.back())) continue;
    map.scores.push_back(block.score);
    map.values.push_back(std::clamp(block.target, IsotonicMap::kLowest, IsotonicMap::kHighest));
  }
  return map;
}

}  // namespace hf::learn
