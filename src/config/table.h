// One table of a TOML document, read strictly: it knows its place in the file, refuses keys that
// nobody asked for, and says of every mistake where it is: "world.toml:7:3: …".
//
// The only window on the TOML library. Thread safety: reading one from several threads is fine.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace hf {

class Table {
 public:
  // Parses a whole document; `file` is what errors call it.
  [[nodiscard]] static Result<Table> parse(std::string_view toml, std::string_view file);

  // Refuses every key but these.
  [[nodiscard]] Result<void> allow(std::initializer_list<std::string_view> keys) const;

  // The value of a key, nothing if it is absent, an error if it is of another type or out of range.
  [[nodiscard]] Result<std::optional<std::string>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t low,
                                                            std::int64_t high) const;
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key, double low,
                                                     double high) const;
  [[nodiscard]] Result<std::optional<Duration>> duration(std::string_view key) const;
  [[nodiscard]] Result<std::optional<bool>> flag(std::string_view key) const;
  [[nodiscard]] Result<std::optional<Table>> table(std::string_view key) const;
  // Arrays; an absent key is an empty one. `texts` takes a single string for an array of one.
  [[nodiscard]] Result<std::vector<Table>> tables(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  // [low, high] as two numbers or two durations.
  [[nodiscard]] Result<std::vector<double>> numbers(std::string_view key) const;
  [[nodiscard]] Result<std::vector<Duration>> durations(std::string_view key) const;

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] bool is_table(std::string_view key) const;

  // Errors with the place of this table, or of one of its keys.
  [[nodiscard]] std::unexpected<Error> error(std::string_view what) const;
  [[nodiscard]] std::unexpected<Error> error_at(std::string_view key, std::string_view what) const;
  // "'budget.usd' must be …."
  [[nodiscard]] std::unexpected<Error> bad(std::string_view key, std::string_view must_be) const;

 private:
  struct Data;
  explicit Table(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

  std::shared_ptr<const Data> data_;
};

}  // namespace hf
