#include "serve/run_book.h"

#include <algorithm>
#include <utility>

namespace hf::serve {
namespace {

// Of its texts, and roughly of the rest.
std::size_t size_of(const Receipt& receipt) {
  std::size_t bytes = sizeof(Receipt) + receipt.answer.size() +
                      receipt.endpoints.size() * sizeof(Endpoint) +
                      receipt.record.subtasks.size() * sizeof(SubtaskRecord) +
                      receipt.record.calls.size() * sizeof(CallRecord);
  for (const PlannedStep& step : receipt.steps) bytes += sizeof step + step.task.size();
  for (const std::string& text : receipt.outputs) bytes += sizeof(std::string) + text.size();
  for (const std::string& text : receipt.attempts) bytes += sizeof(std::string) + text.size();
  return bytes;
}

}  // namespace

void RunBook::keep(FinishedRun run) {
  bytes_ += size_of(*run.receipt);
  runs_.push_back(std::move(run));
  while (runs_.size() > 1 && (runs_.size() > runs_max_ || bytes_ > bytes_max_)) {
    bytes_ -= size_of(*runs_.front().receipt);
    runs_.pop_front();
  }
}

const FinishedRun* RunBook::find(std::string_view run) const {
  const auto found = std::ranges::find_if(
      runs_, [&](const FinishedRun& each) { return each.receipt->run == run; });
  return found == runs_.end() ? nullptr : &*found;
}

}  // namespace hf::serve
