#include "cli/feedback.h"

#include <chrono>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "eval/run_rows.h"

namespace hf::cli {
namespace {

Result<std::string> noted(const FeedbackOptions& options) {
  HF_TRY(store::RunStore history, open_history());
  HF_CHECK(history.check());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return eval::take_feedback(history, options.run, options.subtask, options.correct,
                             std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

}  // namespace

int run_feedback(const FeedbackOptions& options) {
  const auto said = noted(options);
  if (!said) return complain_of(said.error());
  show(stdout, *said + "\n");
  return kAnswered;
}

}  // namespace hf::cli
