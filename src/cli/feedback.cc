#include "cli/feedback.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"

namespace hf::cli {
namespace {

Result<std::string> take_feedback(const FeedbackOptions& options) {
  // The command line lets a value pass that is no number.
  if (!(options.correct >= 0 && options.correct <= 1))
    return fail(Code::kInvalidInput, "--correct must be a number from 0 to 1.");
  HF_TRY(store::RunStore history, open_history());
  HF_CHECK(history.check());
  HF_TRY(const store::RunRow run, history.find(options.run));
  HF_TRY(const auto choices, history.choices(run.id));
  const auto chosen = std::ranges::find_if(choices, [&](const store::ChoiceRow& row) {
    return options.subtask.empty() ? row.is_sink : row.label == options.subtask;
  });
  if (chosen == choices.end()) {
    return fail(
        Code::kInvalidInput,
        options.subtask.empty()
            ? fmt::format("the run {} ended without an answer, so none can be judged", run.id)
            : fmt::format("the run {} has no result of a subtask '{}'; `hybridflow explain "
                          "{}` shows them",
                          run.id, options.subtask, run.id));
  }
  HF_CHECK(history.label(run.id, {chosen->subtask, store::LabelKind::kUser, options.correct}));
  const std::string what = options.subtask.empty() ? "the answer" : "subtask " + options.subtask;
  const std::string noted = fmt::format("noted for {} of {}: {:g}", what, run.id, options.correct);
  if (run.weights.empty() || !chosen->choice.is_predicted()) {
    return noted + "\nnothing is learned from it: no trained model predicted this decision";
  }
  HF_TRY(const std::string verdict, judge_and_promote(history, run.weights));
  return noted + "\n" + verdict;
}

}  // namespace

int run_feedback(const FeedbackOptions& options) {
  const auto said = take_feedback(options);
  if (!said) return complain_of(said.error());
  show(stdout, *said + "\n");
  return kAnswered;
}

}  // namespace hf::cli
