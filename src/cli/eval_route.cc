#include "cli/eval_route.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "eval/compose.h"
#include "eval/evaluate.h"
#include "eval/evaluation_text.h"
#include "eval/outcomes.h"
#include "eval/prepared.h"
#include "eval/report.h"
#include "eval/settings.h"
#include "eval/targets.h"
#include "eval/text_file.h"
#include "eval/untouched.h"
#include "runtime/router_model.h"
#include "sim/embedded.h"
#include "wire/json.h"

namespace hf::cli {
namespace {

constexpr std::uint64_t kComposeSeed = 1;

struct Loaded {
  std::shared_ptr<const learn::Model> model;
  eval::Prepared data;                   // What is evaluated.
  std::optional<eval::Prepared> single;  // If that is composed: the rows as they are.
  std::size_t rows_left_out = 0;
};

Result<Loaded> load(const EvalRouteOptions& options) {
  const auto part = eval::part_named(options.split);
  if (!part) {
    return fail(Code::kInvalidInput,
                fmt::format("There is no split '{}'; choose train, calibration, test or all.",
                            options.split));
  }
  Loaded loaded;
  const std::string shipped(kShippedWeights);
  HF_TRY(const RouterModel trained,
         load_router_model(options.weights.empty() ? shipped : options.weights));
  loaded.model = trained.model;
  const std::vector<std::filesystem::path> files(options.outcomes.begin(), options.outcomes.end());
  HF_TRY(const eval::Dataset all, eval::load_outcomes(files));
  HF_TRY(const eval::Chosen chosen, eval::untouched(all, *part, loaded.model.get()));
  HF_TRY(loaded.data, eval::prepare(chosen.dataset, loaded.model));
  loaded.rows_left_out = chosen.rows_left_out + loaded.data.rows_left_out;
  if (options.graphs.empty()) return loaded;
  std::string text;
  const bool is_shipped = options.graphs == "asynchow";
  if (!is_shipped) {
    HF_TRY(text, eval::read_text_file(options.graphs));
  }
  HF_TRY(const auto graphs,
         eval::read_graphs(is_shipped ? sim::embedded_asynchow() : std::string_view(text),
                           options.graphs));
  HF_TRY(const eval::Composed composed, eval::compose(chosen.dataset, graphs, kComposeSeed));
  loaded.single = std::move(loaded.data);
  HF_TRY(loaded.data, eval::prepare(composed.dataset, loaded.model));
  loaded.rows_left_out = chosen.rows_left_out + composed.rows_left_out + loaded.data.rows_left_out;
  return loaded;
}

Result<eval::EvaluateOptions> settings_of(const EvalRouteOptions& options) {
  eval::EvaluateOptions settings;
  if (!options.policies.empty()) settings.policies = eval::words_of(options.policies);
  HF_TRY(settings.budgets, eval::budgets_from(options.budgets));
  HF_TRY(settings.orders, eval::orders_from(options.orders));
  if (!options.price_change.empty()) {
    HF_TRY(const eval::PriceChange change, eval::price_change_from(options.price_change));
    settings.prices.push_back(change);
  }
  settings.seeds = options.seeds;
  settings.edge_places = options.edge_places;
  settings.policy.spar.second_price = options.second_price;
  settings.jobs =
      options.jobs != 0 ? options.jobs : std::max(std::thread::hardware_concurrency(), 1U);
  return settings;
}

// Says on a terminal how far it is.
eval::Progress progress() {
  if (!is_terminal(stderr)) return {};
  return [percent = std::size_t{101}](std::size_t done, std::size_t all) mutable {
    const std::size_t now = done * 100 / all;
    if (now == percent) return;
    percent = now;
    fmt::print(stderr, "\r{} % of {} runs{}", now, all, done == all ? "\r\033[K" : "");
    std::fflush(stderr);
  };
}

Result<void> write_page(const std::string& folder, const std::string& page) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return eval::write_text_file(std::filesystem::path(folder) / "index.html", page);
}

}  // namespace

int run_eval_route(const EvalRouteOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  const auto settings = settings_of(options);
  if (!settings) return complain(settings.error().message, kBadUsage);
  const auto loaded = load(options);
  if (!loaded) return complain(loaded.error().message, kBadUsage);
  const auto evaluation = eval::evaluate(loaded->data, loaded->model, *settings, progress());
  if (!evaluation) return complain(evaluation.error().message, kBadUsage);
  std::optional<eval::Targets> targets;
  if (options.targets) {
    const bool is_composed = loaded->single.has_value();
    auto measured = eval::measure_targets(is_composed ? *loaded->single : loaded->data,
                                          is_composed ? &loaded->data : nullptr, loaded->model,
                                          *settings, progress());
    if (!measured) return complain(measured.error().message, kBadUsage);
    targets = *std::move(measured);
  }
  const eval::Targets* aims = targets ? &*targets : nullptr;
  const eval::EvaluationNotes notes{.queries = loaded->data.queries.size(),
                                    .subtasks = loaded->data.items.size(),
                                    .rows_left_out = loaded->rows_left_out,
                                    .seeds = settings->seeds,
                                    .weights = loaded->model->provenance};
  show(stdout, options.json ? wire::to_text(eval::evaluation_json(*evaluation, aims, notes)) + "\n"
                            : eval::evaluation_text(*evaluation, aims, notes));
  if (!options.report.empty()) {
    const auto written = write_page(
        options.report, eval::evaluation_page(*evaluation, aims, notes,
                                              eval::reliability_of(loaded->data, loaded->model)));
    if (!written) return finish_output(complain(written.error().message, kFailed));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  fmt::print(stderr, "{} results in {:.1f} s\n", evaluation->cells.size(), took.count());
  return finish_output(kAnswered);
}

}  // namespace hf::cli
