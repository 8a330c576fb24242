#include "cli/import.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <string_view>

#include "base/number.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "eval/import.h"
#include "eval/outcomes.h"
#include "eval/settings.h"
#include "eval/text_file.h"

namespace hf::cli {
namespace {

constexpr double kPriceMax = 100'000;

// Dollars per million tokens.
Result<PicoUsd> price_from(std::string_view text, std::string_view option) {
  const auto usd = parse_number<double>(text);
  if (!usd || !(*usd >= 0 && *usd <= kPriceMax)) {
    return fail(Code::kInvalidInput,
                fmt::format("{} is '{}', but must be dollars per million tokens, 0 to {:g}.",
                            option, text, kPriceMax));
  }
  return PicoUsd(std::llround(*usd * static_cast<double>(kPicoPerUsd) / 1e6));
}

Result<std::vector<OutcomeRow>> import_rows(const ImportOptions& options) {
  eval::ImportOptions settings;
  if (!options.price_prompt.empty()) {
    HF_TRY(settings.cloud_price.prompt, price_from(options.price_prompt, "--price-prompt"));
    settings.cloud_price.cached = settings.cloud_price.prompt;
  }
  if (!options.price_completion.empty()) {
    HF_TRY(settings.cloud_price.completion,
           price_from(options.price_completion, "--price-completion"));
  }
  const bool is_mmlu_pro = options.source == "mmlu-pro";
  if (!is_mmlu_pro && options.source != "routellm-mmlu" && options.source != "routellm-gsm8k") {
    return fail(Code::kInvalidInput,
                fmt::format("There is no source '{}'; choose mmlu-pro, routellm-mmlu or "
                            "routellm-gsm8k.",
                            options.source));
  }
  if (options.files.size() != (is_mmlu_pro ? 3 : 1)) {
    return fail(Code::kInvalidInput,
                is_mmlu_pro ? "mmlu-pro needs three files: outcomes, predictions, questions."
                            : fmt::format("{} needs one file.", options.source));
  }
  if (!is_mmlu_pro && !(options.edge.empty() && options.cloud.empty() && options.voters.empty())) {
    return fail(Code::kInvalidInput,
                fmt::format("{} has one pair of models only; leave out --edge, --cloud and "
                            "--voters.",
                            options.source));
  }
  if (options.source == "routellm-mmlu") {
    return eval::import_routellm_mmlu(options.files[0], settings);
  }
  if (options.source == "routellm-gsm8k") {
    return eval::import_routellm_gsm8k(options.files[0], settings);
  }
  eval::MmluProArms arms;
  if (!options.edge.empty()) arms.edge = options.edge;
  if (!options.cloud.empty()) arms.cloud = options.cloud;
  arms.voters = eval::words_of(options.voters);
  return eval::import_mmlu_pro({options.files[0], options.files[1], options.files[2]}, arms,
                               settings);
}

}  // namespace

int run_import(const ImportOptions& options) {
  for (const std::string& file : options.files) {
    if (!eval::names_same_file(file, options.out)) continue;
    return complain(fmt::format("--out would replace '{}', which is to be imported.", file),
                    kBadUsage);
  }
  const auto rows = import_rows(options);
  if (!rows) return complain(rows.error().message, kBadUsage);
  const auto written = eval::write_text_file(options.out, eval::outcome_text(*rows));
  if (!written) return complain(written.error().message, kFailed);
  fmt::print(stderr, "{}: {} rows\n", options.out, rows->size());
  return kAnswered;
}

}  // namespace hf::cli
