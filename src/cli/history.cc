#include "cli/history.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/ask.h"
#include "cli/environment.h"
#include "eval/run_rows.h"

namespace hf::cli {
namespace {

Result<std::filesystem::path> history_path() {
  return store::default_history_path(
      [](const char* name) -> const char* { return std::getenv(name); });
}

Result<void> store_run(const HistoryConfig& config, const std::string& weights,
                       std::string_view question, const Receipt& receipt) {
  const std::int64_t now = seconds_now();
  const store::KeptRun kept = eval::run_rows(
      receipt, question, {.keeps_texts = config.texts, .weights = weights, .at = now});
  const auto keep = std::chrono::duration_cast<std::chrono::seconds>(config.keep).count();
  HF_TRY(store::RunStore history, open_history());
  return history.add({&kept, 1}, now - keep);
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

}  // namespace hf::cli
