#include "eval/orders.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "base/rng.h"

namespace hf::eval {
namespace {

constexpr std::array<std::string_view, 3> kOrderNames = {"shuffled", "sorted", "drift"};
// How far queries of one category are strewn around its place, in parts of the whole stream.
constexpr double kDriftWidth = 0.5;

void shuffle(std::span<std::uint32_t> list, Rng& rng) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[rng.below(i)]);
}

}  // namespace

std::string_view name_of(Order order) {
  return kOrderNames[static_cast<std::size_t>(order)];
}

std::optional<Order> order_named(std::string_view name) {
  const auto found = std::ranges::find(kOrderNames, name);
  if (found == kOrderNames.end()) return std::nullopt;
  return static_cast<Order>(found - kOrderNames.begin());
}

Orders::Orders(const Prepared& data) {
  struct Category {
    double gain = 0;
    double items = 0;
    std::uint32_t rank = 0;
  };
  std::map<std::string_view, Category> categories;
  for (const PreparedQuery& query : data.queries) {
    Category& category = categories[query.category];
    for (std::size_t i = 0; i < query.graph.size(); ++i) {
      const Item& item = data.items[query.first + i];
      category.gain += item.cloud_correct - item.edge_correct;
      category.items += 1;
    }
  }
  std::vector<Category*> ranked;
  for (auto& entry : categories) ranked.push_back(&entry.second);
  // By name where gains are equal: that is the map's order, and addresses would not be.
  for (auto& entry : categories) entry.second.rank = count_++;
  const auto is_lower = [](const Category* a, const Category* b) {
    const double a_gain = a->gain / a->items;
    const double b_gain = b->gain / b->items;
    return a_gain != b_gain ? a_gain < b_gain : a->rank < b->rank;
  };
  std::ranges::sort(ranked, is_lower);
  count_ = 0;
  for (Category* category : ranked) category->rank = count_++;
  for (const PreparedQuery& query : data.queries) {
    categories_.push_back(categories.at(query.category).rank);
  }
}

std::vector<std::uint32_t> Orders::make(Order order, std::uint64_t seed) const {
  Rng rng(mix(seed));
  std::vector<std::uint32_t> list(categories_.size());
  std::iota(list.begin(), list.end(), 0U);
  shuffle(list, rng);
  if (order == Order::kShuffled) return list;
  std::vector<std::uint32_t> turn(count_);
  std::iota(turn.begin(), turn.end(), 0U);
  if (order == Order::kSorted) shuffle(turn, rng);
  std::vector<double> places;
  for (const std::uint32_t category : categories_) {
    const double strewn = order == Order::kDrift ? kDriftWidth * count_ : 1;
    places.push_back(turn[category] + strewn * rng.unit());
  }
  std::ranges::sort(list, {}, [&](std::uint32_t i) { return std::pair(places[i], i); });
  return list;
}

}  // namespace hf::eval
