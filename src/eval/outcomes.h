// Outcome rows of any number of files, grouped by query and checked against each other.
//
// Knows nothing of policies. Thread safety: none needed after loading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/outcome.h"

namespace hf::eval {

// The rows of one query lie next to one another; queries and the rows of each are in file order.
class Dataset {
 public:
  // Refuses a (query, subtask) that occurs twice, a depends_on that names no subtask of the query,
  // and inputs that go in a circle.
  static Result<Dataset> from(std::vector<OutcomeRow> rows);

  [[nodiscard]] std::span<const OutcomeRow> rows() const { return rows_; }
  [[nodiscard]] std::size_t queries() const { return begins_.size() - 1; }
  [[nodiscard]] std::span<const OutcomeRow> query(std::size_t index) const {
    return rows().subspan(begins_[index], begins_[index + 1] - begins_[index]);
  }

 private:
  friend Result<Dataset> load_outcomes(std::span<const std::filesystem::path> files);

  struct Place {
    std::string_view file;  // "" for rows that are from no file.
    std::size_t line = 0;
  };
  struct Located {
    OutcomeRow row;
    Place place;
  };
  static Result<Dataset> group(std::vector<Located> rows);

  std::vector<OutcomeRow> rows_;
  std::vector<std::size_t> begins_{0};  // Of each query in rows_, and the end.
};

// Reads files of outcome lines (wire/outcome_lines.h), plain or gzip. Blank lines are skipped. An
// error names file and line.
Result<Dataset> load_outcomes(std::span<const std::filesystem::path> files);

// The rows as outcome lines, ready for a file.
std::string outcome_text(std::span<const OutcomeRow> rows);

}  // namespace hf::eval
