#include "store/without_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace hf::store {
namespace {

constexpr std::size_t kLabelBytesMax = 8;

// Planners may call a step anything.
bool is_short_name(std::string_view label) {
  return label.size() <= kLabelBytesMax && std::ranges::all_of(label, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
         });
}

}  // namespace

Receipt without_texts(Receipt receipt) {
  receipt.answer.clear();
  for (std::string& output : receipt.outputs) output.clear();
  for (std::string& attempt : receipt.attempts) attempt.clear();
  receipt.repairs.clear();
  receipt.plan_end.fault.clear();
  for (std::size_t i = 0; i < receipt.steps.size(); ++i) {
    PlannedStep& step = receipt.steps[i];
    step.task.clear();
    if (!is_short_name(step.label)) step.label = fmt::format("#{}", i + 1);
  }
  const bool has_quotes = std::ranges::any_of(
      receipt.record.calls, [](const CallRecord& call) { return !call.detail.empty(); });
  for (CallRecord& call : receipt.record.calls) call.detail.clear();
  if (!has_quotes) return receipt;
  receipt.record.degraded.clear();
  receipt.record.trouble.clear();
  for (SubtaskRecord& subtask : receipt.record.subtasks) subtask.why_not_done.clear();
  return receipt;
}

}  // namespace hf::store
