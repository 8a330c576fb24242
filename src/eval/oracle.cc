#include "eval/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/assert.h"

namespace hf::eval {
namespace {

// After Pisinger, "A minimal algorithm for the multiple-choice knapsack problem" (1995): solve the
// problem with parts allowed, which leaves one group undecided, then enumerate exactly, groups
// nearest to that one first, and drop every state that cannot beat the best whole solution. Few
// groups are ever looked at.

using Wide = __int128;

// How much value a unit of cost buys. Also the mark of "none": nothing to buy, nothing to give
// back.
struct Slope {
  std::int64_t value = 0;
  std::int64_t cost = 1;
};
constexpr Slope kWorthless{0, 1};
constexpr Slope kPriceless{1, 0};

bool is_steeper(Slope a, Slope b) {
  return Wide{a.value} * b.cost > Wide{b.value} * a.cost;
}
double ratio(Slope slope) {
  return static_cast<double>(slope.value) / static_cast<double>(slope.cost);
}

struct Option {
  std::int64_t value = 0;  // Above that of the group's first.
  std::int64_t cost = 0;
  std::uint32_t index = 0;  // In the caller's list.
};

// What is worth considering, by rising cost and value, and which of it is on the concave hull.
struct Group {
  std::vector<Option> options;
  std::vector<std::size_t> hull;
  std::size_t at = 0;  // Position on the hull in the solution with parts.

  [[nodiscard]] Slope slope(std::size_t step) const {
    const Option& from = options[hull[step]];
    const Option& to = options[hull[step + 1]];
    return {to.value - from.value, to.cost - from.cost};
  }
  [[nodiscard]] Slope up() const { return at + 1 < hull.size() ? slope(at) : kWorthless; }
  [[nodiscard]] Slope down() const { return at > 0 ? slope(at - 1) : kPriceless; }
  [[nodiscard]] const Option& current() const { return options[hull[at]]; }
};

Group group_of(std::span<const OracleOption> all) {
  Group group;
  for (std::size_t i = 0; i < all.size(); ++i) {
    group.options.push_back({all[i].value, all[i].cost, static_cast<std::uint32_t>(i)});
  }
  std::ranges::sort(group.options, [](const Option& a, const Option& b) {
    if (a.cost != b.cost) return a.cost < b.cost;
    return a.value != b.value ? a.value > b.value : a.index < b.index;
  });
  std::size_t kept = 0;
  for (const Option& option : group.options) {
    if (kept > 0 && option.value <= group.options[kept - 1].value) continue;
    group.options[kept++] = option;
  }
  group.options.resize(kept);
  for (std::size_t i = 0; i < kept; ++i) {
    const auto is_below = [&] {
      const Option& a = group.options[group.hull[group.hull.size() - 2]];
      const Option& b = group.options[group.hull.back()];
      const Option& c = group.options[i];
      return !is_steeper({b.value - a.value, b.cost - a.cost},
                         {c.value - b.value, c.cost - b.cost});
    };
    while (group.hull.size() >= 2 && is_below()) group.hull.pop_back();
    group.hull.push_back(i);
  }
  const Option first = group.options[0];
  for (Option& option : group.options) {
    option.value -= first.value;
    option.cost -= first.cost;
  }
  return group;
}

class Solver {
 public:
  Solver(std::vector<Group> groups, std::int64_t room, std::size_t work_max)
      : groups_(std::move(groups)), room_(room), work_left_(work_max) {}

  // Leaves the best solution in the groups' choices.
  void solve() {
    divide_values();
    fill();
    if (!is_filled_whole_) enumerate();
    for (const auto& [group, option] : changes_) choice_[group] = option;
  }

  [[nodiscard]] const Option& chosen(std::size_t group) const {
    return groups_[group].options[choice_[group]];
  }
  [[nodiscard]] std::int64_t unit() const { return unit_; }
  [[nodiscard]] double bound() const { return bound_; }  // In values as they were.
  [[nodiscard]] bool is_exact() const { return is_exact_; }

 private:
  struct State {
    std::int64_t cost = 0;
    std::int64_t value = 0;
    std::size_t trace = kNoTrace;
    std::uint32_t option = kStay;  // Not yet in the trace.
  };
  struct Trace {
    std::size_t before = 0;
    std::uint32_t group = 0;
    std::uint32_t option = 0;
  };
  struct Slopes {
    Slope up = kWorthless;
    Slope down = kPriceless;
  };
  static constexpr std::size_t kNoTrace = std::numeric_limits<std::size_t>::max();
  static constexpr std::uint32_t kStay = std::numeric_limits<std::uint32_t>::max();

  // Bounds are rounded down to whole values: the coarser the values, the sooner they say no.
  void divide_values() {
    std::int64_t divisor = 0;
    for (const Group& group : groups_) {
      for (const Option& option : group.options) divisor = std::gcd(divisor, option.value);
    }
    if (divisor <= 1) return;
    unit_ = divisor;
    for (Group& group : groups_) {
      for (Option& option : group.options) option.value /= divisor;
    }
  }

  // The solution with parts, and a whole one from it by taking whatever else fits.
  void fill() {
    struct Step {
      Slope slope;
      std::uint32_t group = 0;
      std::size_t hull = 0;
    };
    std::vector<Step> steps;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (std::size_t i = 0; i + 1 < groups_[g].hull.size(); ++i) {
        steps.push_back({groups_[g].slope(i), static_cast<std::uint32_t>(g), i});
      }
    }
    std::ranges::sort(steps, [](const Step& a, const Step& b) {
      if (is_steeper(a.slope, b.slope)) return true;
      if (is_steeper(b.slope, a.slope)) return false;
      return a.group != b.group ? a.group < b.group : a.hull < b.hull;
    });
    std::size_t next = 0;
    for (; next < steps.size() && cost_ + steps[next].slope.cost <= room_; ++next) {
      cost_ += steps[next].slope.cost;
      value_ += steps[next].slope.value;
      groups_[steps[next].group].at = steps[next].hull + 1;
    }
    for (const Group& group : groups_) {
      choice_.push_back(static_cast<std::uint32_t>(group.hull[group.at]));
    }
    is_filled_whole_ = next == steps.size();
    break_ = is_filled_whole_ ? kWorthless : steps[next].slope;
    bound_ = (static_cast<double>(value_) + static_cast<double>(room_ - cost_) * ratio(break_)) *
             static_cast<double>(unit_);

    best_ = value_;
    std::int64_t cost = cost_;
    for (; next < steps.size(); ++next) {
      const auto& [slope, g, hull] = steps[next];
      if (choice_[g] != groups_[g].hull[hull] || cost + slope.cost > room_) continue;
      cost += slope.cost;
      best_ += slope.value;
      choice_[g] = static_cast<std::uint32_t>(groups_[g].hull[hull + 1]);
    }
  }

  // Whether more than the best may come of it, if a unit of room is worth `slope`.
  [[nodiscard]] bool is_hopeful(std::int64_t cost, std::int64_t value, Slope slope) const {
    return Wide{room_ - cost} * slope.value >= Wide{best_ + 1 - value} * slope.cost;
  }
  [[nodiscard]] bool is_hopeful(const State& state, const Slopes& rest) const {
    return is_hopeful(state.cost, state.value, state.cost <= room_ ? rest.up : rest.down);
  }

  void enumerate() {
    const std::vector<std::uint32_t> order = by_nearness();
    std::vector<Slopes> rest(order.size() + 1);  // The best of the groups from there on.
    for (std::size_t i = order.size(); i > 0; --i) {
      const Group& group = groups_[order[i - 1]];
      rest[i - 1] = rest[i];
      if (is_steeper(group.up(), rest[i].up)) rest[i - 1].up = group.up();
      if (is_steeper(rest[i].down, group.down())) rest[i - 1].down = group.down();
    }
    std::vector<State> states;
    if (const State start{cost_, value_}; is_hopeful(start, rest[0])) states.push_back(start);
    for (std::size_t i = 0; i < order.size() && !states.empty(); ++i) {
      if (!widen(states, order[i])) continue;
      keep_hopeful(states, order[i], rest[i + 1]);
      if (work_left_ < states.size()) {
        is_exact_ = false;
        break;
      }
      work_left_ -= states.size();
    }
    follow_best();
  }

  [[nodiscard]] std::vector<std::uint32_t> by_nearness() const {
    std::vector<std::pair<double, std::uint32_t>> keys;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const double limit = ratio(break_);
      const double up = ratio(groups_[g].up()) / limit;
      const double down = limit / ratio(groups_[g].down());
      keys.emplace_back(-std::max(up, down), static_cast<std::uint32_t>(g));
    }
    std::ranges::sort(keys);
    std::vector<std::uint32_t> order;
    for (const auto& key : keys) order.push_back(key.second);
    return order;
  }

  // Adds what each state becomes with another option of the group; false if no option is hopeful.
  bool widen(std::vector<State>& states, std::uint32_t index) {
    const Group& group = groups_[index];
    const Option& current = group.current();
    std::vector<State> old;
    for (std::size_t j = 0; j < group.options.size(); ++j) {
      const std::int64_t cost = group.options[j].cost - current.cost;
      const std::int64_t value = group.options[j].value - current.value;
      if (j == group.hull[group.at] || !is_hopeful(cost_ + cost, value_ + value, break_)) continue;
      if (old.empty()) old = states;
      merged_.clear();
      moved_.clear();
      for (const State& state : old) {
        moved_.push_back(
            {state.cost + cost, state.value + value, state.trace, static_cast<std::uint32_t>(j)});
      }
      std::ranges::merge(states, moved_, std::back_inserter(merged_),
                         [](const State& a, const State& b) {
                           return a.cost != b.cost ? a.cost < b.cost : a.value > b.value;
                         });
      states.swap(merged_);
    }
    return !old.empty();
  }

  void keep_hopeful(std::vector<State>& states, std::uint32_t group, const Slopes& rest) {
    const auto record = [&](State& state) {
      if (state.option == kStay) return;
      traces_.push_back({state.trace, group, state.option});
      state.trace = traces_.size() - 1;
      state.option = kStay;
    };
    for (State& state : states) {
      if (state.cost > room_ || state.value <= best_) continue;
      best_ = state.value;
      record(state);
      best_trace_ = state.trace;
    }
    std::size_t kept = 0;
    for (State& state : states) {
      if (kept > 0 && state.value <= states[kept - 1].value) continue;
      if (!is_hopeful(state, rest)) continue;
      record(state);
      states[kept++] = state;
    }
    states.resize(kept);
  }

  // If the enumeration found better than the whole solution from the start, takes that.
  void follow_best() {
    if (best_trace_ == kNoTrace) return;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      choice_[g] = static_cast<std::uint32_t>(groups_[g].hull[groups_[g].at]);
    }
    for (std::size_t i = best_trace_; i != kNoTrace; i = traces_[i].before) {
      changes_.emplace_back(traces_[i].group, traces_[i].option);
    }
  }

  std::vector<Group> groups_;
  const std::int64_t room_;
  std::size_t work_left_;
  std::int64_t unit_ = 1;
  std::vector<std::uint32_t> choice_;  // Of a group's options.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> changes_;
  std::int64_t cost_ = 0;  // Of the whole part of the solution with parts.
  std::int64_t value_ = 0;
  Slope break_ = kWorthless;  // What the next unit of room would be worth.
  bool is_filled_whole_ = false;
  std::int64_t best_ = 0;  // Value of the best whole solution.
  std::size_t best_trace_ = kNoTrace;
  std::vector<Trace> traces_;
  std::vector<State> moved_;
  std::vector<State> merged_;
  double bound_ = 0;
  bool is_exact_ = true;
};

}  // namespace

std::int64_t value_units(double value) {
  return std::llround(value * static_cast<double>(kValueUnits));
}

std::optional<OracleChoice> best_choices(std::span<const std::vector<OracleOption>> groups,
                                         std::int64_t budget, std::size_t work_max) {
  OracleChoice result;
  std::vector<Group> considered;
  considered.reserve(groups.size());
  Wide room = budget;
  Wide values = 0;
  Wide costs = 0;
  double base = 0;
  for (const std::vector<OracleOption>& options : groups) {
    HF_ASSERT(!options.empty());
    considered.push_back(group_of(options));
    const OracleOption& first = options[considered.back().options[0].index];
    room -= first.cost;
    base += static_cast<double>(first.value);
    for (const OracleOption& option : options) {
      values += option.value < 0 ? -Wide{option.value} : option.value;
      costs += option.cost < 0 ? -Wide{option.cost} : option.cost;
    }
  }
  constexpr Wide kSumMax = Wide{1} << 61U;
  HF_ASSERT(values < kSumMax && costs < kSumMax);
  if (room < 0) return std::nullopt;

  const Wide enough = std::min(room, Wide{2} * kSumMax);
  Solver solver(std::move(considered), static_cast<std::int64_t>(enough), work_max);
  solver.solve();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::uint32_t index = solver.chosen(g).index;
    result.chosen.push_back(index);
    result.value += groups[g][index].value;
    result.cost += groups[g][index].cost;
  }
  result.bound = std::max(base + solver.bound(), static_cast<double>(result.value));
  result.is_exact = solver.is_exact();
  return result;
}

OracleChoice best_items(std::span<const OracleOption> items, std::int64_t budget,
                        std::size_t work_max) {
  HF_ASSERT(budget >= 0);
  std::vector<std::vector<OracleOption>> groups;
  groups.reserve(items.size());
  for (const OracleOption& item : items) {
    HF_ASSERT(item.cost >= 0);
    groups.push_back({OracleOption{}, item});
  }
  // Group by group the cheapest is "not bought", unless the item is free and worth something.
  return *best_choices(groups, budget, work_max);
}

}  // namespace hf::eval
