#include "sim/world_values.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace hf::sim {
namespace {

// Nothing in a world takes longer than a day: sums of many durations must fit.
Result<double> nanoseconds(const Table& table, std::string_view key, Duration duration) {
  if (duration > std::chrono::hours(24)) return table.bad(key, "at most 24h");
  return static_cast<double>(duration.count());
}

Result<std::optional<double>> read_value(const Table& table, std::string_view key, Unit unit) {
  if (unit.is_time) {
    HF_TRY(const auto duration, table.duration(key));
    if (!duration) return std::nullopt;
    return nanoseconds(table, key, *duration);
  }
  HF_TRY(const auto number, table.number(key, 0, unit.most));
  return number ? std::optional(*number * unit.factor) : std::nullopt;
}

// [low, high] or [median, 95th percentile].
Result<std::pair<double, double>> read_pair(const Table& table, std::string_view key, Unit unit) {
  std::vector<double> values;
  if (unit.is_time) {
    HF_TRY(const auto durations, table.durations(key));
    for (const Duration each : durations) {
      HF_TRY(const double value, nanoseconds(table, key, each));
      values.push_back(value);
    }
  } else {
    HF_TRY(values, table.numbers(key));
    for (double& each : values) {
      if (!(each >= 0 && each <= unit.most)) {
        return table.bad(key, fmt::format("two numbers from 0 to {}", unit.most));
      }
      each *= unit.factor;
    }
  }
  if (values.size() != 2 || values[0] > values[1]) {
    return table.bad(key, "two values, the smaller one first");
  }
  return std::pair(values[0], values[1]);
}

}  // namespace

Result<std::optional<Draw>> read_draw(const Table& table, std::string_view key, Unit unit) {
  if (!table.is_table(key)) {
    HF_TRY(const auto value, read_value(table, key, unit));
    return value ? std::optional(Draw::constant(*value)) : std::nullopt;
  }
  HF_TRY(const auto draw, table.table(key));
  HF_CHECK(draw->allow({"uniform", "exponential", "lognormal"}));
  const int given = draw->has("uniform") + draw->has("exponential") + draw->has("lognormal");
  if (given != 1) return table.bad(key, "one of uniform, exponential and lognormal");
  if (draw->has("uniform")) {
    HF_TRY(const auto range, read_pair(*draw, "uniform", unit));
    return Draw::uniform(range.first, range.second);
  }
  if (draw->has("exponential")) {
    HF_TRY(const auto mean, read_value(*draw, "exponential", unit));
    return Draw::exponential(*mean);
  }
  HF_TRY(const auto quantiles, read_pair(*draw, "lognormal", unit));
  if (quantiles.first <= 0) return draw->bad("lognormal", "a median above zero and a percentile");
  return Draw::lognormal(quantiles.first, quantiles.second);
}

Result<void> set(Draw& draw, const Table& table, std::string_view key, Unit unit) {
  HF_TRY(const auto read, read_draw(table, key, unit));
  draw = read.value_or(draw);
  return {};
}

Result<void> set_number(double& value, const Table& table, std::string_view key, double low,
                        double high) {
  HF_TRY(const auto read, table.number(key, low, high));
  value = read.value_or(value);
  return {};
}

Result<void> set_share(double& share, const Table& table, std::string_view key) {
  return set_number(share, table, key, 0, 1);
}

Result<void> set_time(Duration& value, const Table& table, std::string_view key) {
  HF_TRY(const auto read, read_value(table, key, kTime));
  if (read) value = Duration(static_cast<std::int64_t>(*read));
  return {};
}

}  // namespace hf::sim
