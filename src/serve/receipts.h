// The receipts of the latest runs, as text, bounded in number and bytes: the oldest go first.
// Thread safety: none.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace hf::serve {

class Receipts {
 public:
  Receipts(std::size_t runs_max, std::size_t bytes_max)
      : runs_max_(runs_max), bytes_max_(bytes_max) {}

  void keep(std::string run, std::string text);
  // Null if there is none; valid until the next keep.
  [[nodiscard]] const std::string* find(std::string_view run) const;

 private:
  const std::size_t runs_max_;
  const std::size_t bytes_max_;
  std::map<std::string, std::string, std::less<>> texts_;
  std::deque<std::string> order_;  // The oldest first.
  std::size_t bytes_ = 0;
};

}  // namespace hf::serve
