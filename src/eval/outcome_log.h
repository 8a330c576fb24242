// A file of outcome lines that grows by one line at a time and outlives whoever is killed while
// writing it: what was appended stays, a torn last line is cut off when it is opened again.
//
// Knows nothing of what the rows are about. Thread safety: none; a lock on the file keeps a second
// process out.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/outcome.h"

namespace hf::eval {

class OutcomeLog {
 public:
  // Opens or creates the file. kInvalidInput: it is compressed, another program writes it, or a
  // line in it is no outcome line.
  static Result<OutcomeLog> open(const std::filesystem::path& path);
  ~OutcomeLog();
  OutcomeLog(OutcomeLog&& other) noexcept;
  OutcomeLog& operator=(OutcomeLog&&) = delete;

  // The rows that were there when it was opened, and how many torn bytes were cut off.
  [[nodiscard]] const std::vector<OutcomeRow>& rows() const { return rows_; }
  [[nodiscard]] std::size_t torn_bytes() const { return torn_bytes_; }

  // The line is in the system's hands when this returns.
  Result<void> append(const OutcomeRow& row);

 private:
  OutcomeLog(int file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}
  Result<void> read();
  Result<void> write(std::string_view text);
  [[nodiscard]] std::unexpected<Error> no_access(std::string_view what) const;

  int file_;
  std::filesystem::path path_;
  std::vector<OutcomeRow> rows_;
  std::size_t torn_bytes_ = 0;
};

}  // namespace hf::eval
