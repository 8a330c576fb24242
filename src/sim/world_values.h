// Values of a world file: distributions in their units, shares, whole numbers. For the reader only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "config/table.h"
#include "sim/draw.h"

namespace hf::sim {

// A number is read in its own unit and counts in another: dollars in picodollars.
struct Unit {
  bool is_time = false;
  double factor = 1;
  double most = 1e12;
};
inline constexpr Unit kTime{.is_time = true};
inline constexpr Unit kCount{.is_time = false, .factor = 1, .most = 1e6};
inline constexpr Unit kUsd{
    .is_time = false, .factor = static_cast<double>(kPicoPerUsd), .most = 1e6};

inline constexpr Unit kFactor{.is_time = false, .factor = 1, .most = 1e3};
inline constexpr Unit kManyTokens{.is_time = false, .factor = 1, .most = 1e12};

// A constant, or a table with one distribution; nothing if the key is absent.
[[nodiscard]] Result<std::optional<Draw>> read_draw(const Table& table, std::string_view key,
                                                    Unit unit);

// These leave the value as it is if the key is absent.
[[nodiscard]] Result<void> set(Draw& draw, const Table& table, std::string_view key, Unit unit);
[[nodiscard]] Result<void> set_number(double& value, const Table& table, std::string_view key,
                                      double low, double high);
[[nodiscard]] Result<void> set_share(double& share, const Table& table, std::string_view key);
[[nodiscard]] Result<void> set_time(Duration& value, const Table& table, std::string_view key);
template <class Whole>
[[nodiscard]] Result<void> set_whole(Whole& value, const Table& table, std::string_view key,
                                     std::int64_t low, std::int64_t high) {
  HF_TRY(const auto read, table.integer(key, low, high));
  if (read) value = static_cast<Whole>(*read);
  return {};
}

}  // namespace hf::sim
