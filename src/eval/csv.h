// Tables as text, after RFC 4180: quoted fields may hold commas, quotes and line breaks; lines end
// in LF or CRLF; the first one names the columns. Reads only.
//
// Thread safety: none needed after reading.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hf::eval {

class CsvTable {
 public:
  // `file` is for messages, which name the line and the column. A row that has not as many fields
  // as the first one, a quote in the wrong place and a column named twice are errors.
  static Result<CsvTable> read(std::string_view text, std::string file);

  [[nodiscard]] std::size_t rows() const { return lines_.size(); }
  [[nodiscard]] const std::vector<std::string>& header() const { return header_; }

  // The number of the column, or an error that lists the file's columns.
  [[nodiscard]] Result<std::size_t> column(std::string_view name) const;

  [[nodiscard]] std::string_view at(std::size_t row, std::size_t column) const {
    return fields_[row * header_.size() + column];
  }

  // The field as a whole number from `low` to `high`.
  [[nodiscard]] Result<std::int64_t> integer(std::size_t row, std::size_t column, std::int64_t low,
                                             std::int64_t high) const;

  // "FILE: line 17, column "edge": SENTENCE"
  [[nodiscard]] std::unexpected<Error> wrong(std::size_t row, std::size_t column,
                                             std::string_view sentence) const;

 private:
  std::string file_;
  std::vector<std::string> header_;
  std::vector<std::string> fields_;  // Row after row.
  std::vector<std::size_t> lines_;   // Where each row begins.
};

}  // namespace hf::eval
