// Runs that are over, the latest of them in memory: their receipts, and what a list shows.
// Bounded in number and bytes: the oldest go first. Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/receipt.h"

namespace hf::serve {

struct FinishedRun {
  std::string owner;  // Label of the key; empty: none.
  std::string model;
  std::int64_t created = 0;
  std::shared_ptr<const Receipt> receipt;
};

class RunBook {
 public:
  RunBook(std::size_t runs_max, std::size_t bytes_max)
      : runs_max_(runs_max), bytes_max_(bytes_max) {}

  void keep(FinishedRun run);
  // Null if there is none; valid until the next keep.
  [[nodiscard]] const FinishedRun* find(std::string_view run) const;
  // The oldest first.
  [[nodiscard]] const std::deque<FinishedRun>& runs() const { return runs_; }

 private:
  const std::size_t runs_max_;
  const std::size_t bytes_max_;
  std::deque<FinishedRun> runs_;  // Ids count up with time, but for those of one millisecond.
  std::size_t bytes_ = 0;
};

}  // namespace hf::serve
