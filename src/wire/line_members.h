// The members of an object on one line of a file, read strictly, with errors that say where:
// "line 17: arms[1].correct is 1.5, but must be from 0 to 1."
//
// An optional member that is null counts as absent. Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "wire/json.h"

namespace hf::wire {

// A closed range of numbers, and how to say it.
struct NumberRange {
  double low = 0;
  double high = 1;
  std::string_view words = {};  // "from 0 to 1" unless given.
};

class LineMembers {
 public:
  // `path` begins every message: "line 17: ", then "line 17: arms[1].". `object` must live longer.
  LineMembers(const json::object& object, std::string path)
      : object_(&object), path_(std::move(path)) {}

  [[nodiscard]] bool has(std::string_view key) const { return value_of(key) != nullptr; }

  // nullopt if absent.
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key, NumberRange range) const;
  [[nodiscard]] Result<std::optional<std::int64_t>> count(std::string_view key,
                                                          std::int64_t max) const;
  [[nodiscard]] Result<std::optional<std::string>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<LineMembers>> object(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::vector<LineMembers>>> objects(std::string_view key) const;

  // Must be there: a text that is not empty; the index of one of `words`.
  [[nodiscard]] Result<std::string> name(std::string_view key) const;
  [[nodiscard]] Result<std::size_t> word(std::string_view key,
                                         std::span<const std::string_view> words) const;
  // A list of texts, empty if absent; of texts that are not empty.
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string>> names(std::string_view key) const;

  // "…query is missing." and "…query is 5, but must be a text."
  [[nodiscard]] std::unexpected<Error> missing(std::string_view key) const;
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view key, std::string_view demand) const;

 private:
  [[nodiscard]] const json::value* value_of(std::string_view key) const;

  const json::object* object_;
  std::string path_;
};

// The line as one JSON object, or an error that begins with "line `number`: ".
Result<json::value> read_line_object(std::string_view line, std::size_t number);

}  // namespace hf::wire
