#include "cli/history.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/utf8.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "eval/past_choices.h"
#include "store/without_texts.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

constexpr std::size_t kQuestionBytes = 200;

std::int64_t seconds_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

Result<std::filesystem::path> history_path() {
  return store::default_history_path(
      [](const char* name) -> const char* { return std::getenv(name); });
}

std::string beginning_of(std::string_view question) {
  std::string text(question.substr(0, kQuestionBytes));
  text.resize(complete_utf8_prefix(text));
  return text;
}

Result<void> store_run(const HistoryConfig& config, const std::string& weights,
                       std::string_view question, const Receipt& receipt) {
  std::vector<store::ChoiceRow> choices;
  std::vector<store::LabelRow> labels;
  const Receipt kept = config.texts ? receipt : store::without_texts(receipt);
  for (std::uint32_t i = 0; i < receipt.record.subtasks.size(); ++i) {
    const SubtaskId id{i};
    const auto choice = eval::past_choice(receipt, id);
    if (!choice) continue;
    choices.push_back({id, kept.steps[i].label, receipt.record.sink == id, *choice});
    if (const auto agreed = eval::agreement(receipt, id))
      labels.push_back({id, store::LabelKind::kAgreement, *agreed});
  }
  const wire::Totals totals = wire::totals_of(receipt);
  store::RunRow run;
  run.id = receipt.run;
  run.at = seconds_now();
  run.policy = receipt.policy;
  run.weights = weights;
  run.outcome = wire::name_of(receipt.record.outcome.value_or(Outcome::kUnavailable));
  run.usd = totals.usd;
  run.tokens = totals.edge_tokens + totals.cloud_tokens;
  if (config.texts) run.question = beginning_of(question);
  run.receipt = wire::to_text(wire::receipt_json(kept));
  const auto keep = std::chrono::duration_cast<std::chrono::seconds>(config.keep).count();
  HF_TRY(store::RunStore history, open_history());
  return history.add(run, choices, labels, run.at - keep);
}

Result<RouterModel> learned_model(RouterModel model) {
  HF_TRY(const auto path, history_path());
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return model;
  HF_TRY(store::RunStore history, store::RunStore::open(path));
  HF_TRY(const store::LearnedRow learned, history.learned(model.digest));
  if (learned.serving.empty()) return model;
  auto with = std::make_shared<learn::Model>(*model.model);
  HF_TRY(with->corrections, learn::corrections_from(learned.serving));
  model.model = std::move(with);
  return model;
}

}  // namespace

Result<store::RunStore> open_history() {
  HF_TRY(const auto path, history_path());
  return store::RunStore::open(path);
}

int complain_of(const Error& error) {
  return complain(error.message, error.code == Code::kInvalidInput ? kBadUsage : kFailed);
}

Result<std::vector<eval::JudgedChoice>> judged_choices(store::RunStore& history,
                                                       const std::string& weights) {
  HF_TRY(const auto rows, history.judged(weights));
  std::vector<eval::JudgedChoice> judged;
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

RouterModel with_learned(RouterModel model, const HistoryConfig& config) {
  if (!config.enabled || model.model == nullptr) return model;
  auto learned = learned_model(model);
  if (learned) return *std::move(learned);
  complain(fmt::format("nothing learned is used: {}", learned.error().message), 0);
  return model;
}

void keep_run(const HistoryConfig& config, const std::string& weights, std::string_view question,
              const Receipt& receipt) {
  if (!config.enabled) return;
  const auto stored = store_run(config, weights, question, receipt);
  if (!stored) complain(fmt::format("the run is not kept: {}", stored.error().message), 0);
}

Result<std::string> judge_and_promote(store::RunStore& history, const std::string& weights) {
  HF_TRY(const auto judged, judged_choices(history, weights));
  HF_TRY(const learn::Corrections serving, serving_corrections(history, weights));
  HF_TRY(store::LearnedRow learned, history.learned(weights));
  const eval::Verdict verdict = eval::judge_candidate(judged, serving);
  learned.verdict = eval::words_of(verdict);
  learned.at = seconds_now();
  if (verdict.is_promoted) learned.serving = learn::to_text(eval::learned_from(judged));
  HF_CHECK(history.set_learned(weights, learned));
  return learned.verdict;
}

}  // namespace hf::cli
