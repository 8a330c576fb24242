#include "serve/receipts.h"

#include <utility>

namespace hf::serve {

void Receipts::keep(std::string run, std::string text) {
  bytes_ += text.size();
  order_.push_back(run);
  texts_.emplace(std::move(run), std::move(text));
  while (order_.size() > runs_max_ || (bytes_ > bytes_max_ && order_.size() > 1)) {
    const auto oldest = texts_.find(order_.front());
    bytes_ -= oldest->second.size();
    texts_.erase(oldest);
    order_.pop_front();
  }
}

const std::string* Receipts::find(std::string_view run) const {
  const auto found = texts_.find(run);
  return found == texts_.end() ? nullptr : &found->second;
}

}  // namespace hf::serve
