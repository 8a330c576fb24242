#include "eval/run_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "eval/past_choices.h"
#include "store/without_texts.h"
#include "wire/receipt_json.h"

namespace hf::eval {
namespace {

constexpr std::size_t kQuestionBytes = 200;

std::string beginning_of(std::string_view question) {
  std::string text(question.substr(0, kQuestionBytes));
  text.resize(complete_utf8_prefix(text));
  return text;
}

// Judges the candidate of these weights, stores the verdict, and promotes it if it may serve.
Result<std::string> judge_and_promote(store::RunStore& history, const std::string& weights,
                                      std::int64_t at) {
  HF_TRY(const auto judged, judged_choices(history, weights));
  HF_TRY(const learn::Corrections serving, serving_corrections(history, weights));
  HF_TRY(store::LearnedRow learned, history.learned(weights));
  const Verdict verdict = judge_candidate(judged, serving);
  learned.verdict = words_of(verdict);
  learned.at = at;
  if (verdict.is_promoted) learned.serving = learn::to_text(learned_from(judged));
  HF_CHECK(history.set_learned(weights, learned));
  return learned.verdict;
}

}  // namespace

store::KeptRun run_rows(const Receipt& receipt, std::string_view question,
                        const RunRowOptions& options) {
  store::KeptRun kept;
  const Receipt shown = options.keeps_texts ? receipt : store::without_texts(receipt);
  for (std::uint32_t i = 0; i < receipt.record.subtasks.size(); ++i) {
    const SubtaskId id{i};
    const auto choice = past_choice(receipt, id);
    if (!choice) continue;
    kept.choices.push_back({id, shown.steps[i].label, receipt.record.sink == id, *choice});
    if (const auto agreed = agreement(receipt, id))
      kept.labels.push_back({id, store::LabelKind::kAgreement, *agreed});
  }
  const wire::Totals totals = wire::totals_of(receipt);
  kept.run = {
      .id = receipt.run,
      .at = options.at,
      .policy = receipt.policy,
      .weights = options.weights,
      .outcome = std::string(wire::name_of(receipt.record.outcome.value_or(Outcome::kUnavailable))),
      .usd = totals.usd,
      .tokens = totals.edge_tokens + totals.cloud_tokens,
      .question = options.keeps_texts ? beginning_of(question) : "",
      .receipt = wire::to_text(wire::receipt_json(shown)),
      .key = options.key};
  return kept;
}

Result<std::string> take_feedback(store::RunStore& history, std::string_view id,
                                  std::string_view subtask, double correct, std::int64_t at) {
  if (!(correct >= 0 && correct <= 1))
    return fail(Code::kInvalidInput, "how right it is must be a number from 0 to 1");
  HF_TRY(const store::RunRow run, history.find(id));
  HF_TRY(const auto choices, history.choices(run.id));
  const auto chosen = std::ranges::find_if(choices, [&](const store::ChoiceRow& row) {
    return subtask.empty() ? row.is_sink : row.label == subtask;
  });
  if (chosen == choices.end()) {
    return fail(
        Code::kInvalidInput,
        subtask.empty()
            ? fmt::format("the run {} ended without an answer, so none can be judged", run.id)
            : fmt::format("the run {} has no result of a subtask '{}'; `hybridflow "
                          "explain {}` shows them",
                          run.id, subtask, run.id));
  }
  HF_CHECK(history.label(run.id, {chosen->subtask, store::LabelKind::kUser, correct}));
  const std::string what = subtask.empty() ? "the answer" : fmt::format("subtask {}", subtask);
  const std::string noted = fmt::format("noted for {} of {}: {:g}", what, run.id, correct);
  if (run.weights.empty() || !chosen->choice.is_predicted()) {
    return noted + "\nnothing is learned from it: no trained model predicted this decision";
  }
  HF_TRY(const std::string verdict, judge_and_promote(history, run.weights, at));
  return noted + "\n" + verdict;
}

Result<std::vector<JudgedChoice>> judged_choices(store::RunStore& history,
                                                 const std::string& weights) {
  HF_TRY(const auto rows, history.judged(weights));
  std::vector<JudgedChoice> judged;
  std::uint64_t query = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i].run != rows[i - 1].run) ++query;
    judged.push_back({query, rows[i].choice, rows[i].told, rows[i].agreed});
  }
  return judged;
}

Result<learn::Corrections> serving_corrections(store::RunStore& history,
                                               const std::string& weights) {
  HF_TRY(const store::LearnedRow learned, history.learned(weights));
  if (learned.serving.empty()) return learn::Corrections{};
  return learn::corrections_from(learned.serving);
}

}  // namespace hf::eval
