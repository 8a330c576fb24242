#include "cli/route_status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "eval/run_rows.h"
#include "learn/metrics.h"
#include "wire/json.h"

namespace hf::cli {
namespace {

using wire::json::array;
using wire::json::object;
using wire::json::value;

constexpr std::size_t kRecent = 50;
constexpr std::size_t kBins = 5;
constexpr std::size_t kBarColumns = 40;
constexpr double kShiftErrors = 3;  // A difference of more standard errors is called a shift.

// Of the answers of some runs.
struct Mix {
  std::size_t runs = 0;
  double edge = 0;   // Mean trained chance of the edge,
  double error = 0;  // and its standard error.
  double cloud = 0;  // Share that the cloud answered.
};

struct Status {
  RouterModel model;
  std::int64_t runs = 0;
  std::size_t told = 0;
  std::size_t agreed = 0;
  bool is_corrected = false;
  std::vector<learn::Scored> serving;
  std::vector<learn::Scored> candidate;
  Mix recent;
  Mix before;
  store::LearnedRow learned;

  [[nodiscard]] bool has_shifted() const {
    if (recent.runs < kRecent || before.runs < kRecent) return false;
    const double error = std::hypot(recent.error, before.error);
    return std::abs(recent.edge - before.edge) > kShiftErrors * error;
  }
};

Mix mix_of(std::span<const PastChoice> choices) {
  Mix mix;
  mix.runs = choices.size();
  if (choices.empty()) return mix;
  const auto count = static_cast<double>(choices.size());
  double squares = 0;
  for (const PastChoice& choice : choices) {
    mix.edge += choice.edge_chance / count;
    squares += choice.edge_chance * choice.edge_chance / count;
    mix.cloud += choice.tier == Tier::kCloud ? 1 / count : 0;
  }
  mix.error = std::sqrt(std::max(squares - mix.edge * mix.edge, 0.0) / count);
  return mix;
}

// What was predicted of results that somebody judged, and what came out.
std::vector<learn::Scored> scored(std::span<const eval::JudgedChoice> judged,
                                  const learn::Corrections& corrections) {
  std::vector<learn::Scored> rows;
  for (const eval::JudgedChoice& each : judged) {
    if (!each.told || !each.choice.is_predicted()) continue;
    const eval::ServedChances chances = eval::served_chances(each.choice, corrections);
    rows.push_back(
        {each.choice.tier == Tier::kCloud ? chances.cloud : chances.edge, *each.told, each.query});
  }
  return rows;
}

Result<Status> read_status(const RouteStatusOptions& options) {
  HF_TRY(const Config config, configure(options.config));
  Status status;
  HF_TRY(status.model, load_router_model(config.weights));
  const std::string& digest = status.model.digest;
  HF_TRY(store::RunStore history, open_history());
  HF_CHECK(history.check());
  HF_TRY(status.runs, history.count());
  HF_TRY(const auto judged, eval::judged_choices(history, digest));
  for (const eval::JudgedChoice& each : judged) {
    status.told += each.told ? 1 : 0;
    status.agreed += each.agreed ? 1 : 0;
  }
  HF_TRY(status.learned, history.learned(digest));
  status.is_corrected = !status.learned.serving.empty();
  HF_TRY(const learn::Corrections serving, eval::serving_corrections(history, digest));
  status.serving = scored(judged, serving);
  status.candidate = scored(judged, eval::learned_from(judged));
  HF_TRY(const auto answers, history.answers(digest));
  const std::span all(answers);
  const std::size_t recent = std::min(kRecent, all.size());
  status.recent = mix_of(all.first(recent));
  status.before = mix_of(all.subspan(recent));
  return status;
}

object metrics_object(const std::vector<learn::Scored>& rows) {
  const learn::Metrics metrics = learn::measure(rows, {.bins = kBins});
  const auto interval = [](const learn::Interval& of) -> value {
    if (!of.is_defined) return nullptr;
    return object{{"value", of.value}, {"low", of.low}, {"high", of.high}};
  };
  array bins;
  for (const learn::ReliabilityBin& bin : learn::reliability(rows, kBins)) {
    bins.push_back(object{{"predicted", bin.predicted},
                          {"observed", bin.observed},
                          {"error", bin.error},
                          {"rows", bin.rows}});
  }
  return {{"rows", metrics.rows},
          {"ece", interval(metrics.ece)},
          {"brier", interval(metrics.brier)},
          {"auroc", interval(metrics.auroc)},
          {"reliability", std::move(bins)}};
}

object mix_object(const Mix& mix) {
  return {{"runs", mix.runs}, {"mean_edge_chance", mix.edge}, {"cloud_share", mix.cloud}};
}

void print_status(const Status& status) {
  value weights;
  if (const learn::Model* model = status.model.model.get()) {
    weights = object{{"digest", status.model.digest},
                     {"provenance", model->provenance},
                     {"texts", model->fingerprints.size()}};
  }
  const object document{
      {"version", 1},
      {"weights", std::move(weights)},
      {"corrected", status.is_corrected},
      {"runs", status.runs},
      {"labels", {{"user", status.told}, {"agreement", status.agreed}}},
      {"serving", metrics_object(status.serving)},
      {"candidate", metrics_object(status.candidate)},
      {"drift",
       {{"recent", mix_object(status.recent)},
        {"before", mix_object(status.before)},
        {"shifted", status.has_shifted()}}},
      {"verdict", status.learned.verdict.empty() ? value(nullptr) : value(status.learned.verdict)}};
  print_json(document);
}

std::string metrics_text(std::string_view title, const std::vector<learn::Scored>& rows) {
  const learn::Metrics metrics = learn::measure(rows, {.bins = kBins});
  const auto words = [](const learn::Interval& of) -> std::string {
    if (!of.is_defined) return "n/a";
    return fmt::format("{:.3f} [{:.3f}, {:.3f}]", of.value, of.low, of.high);
  };
  std::string text = fmt::format("{} on {} judged results\n", title, metrics.rows);
  text += fmt::format("  ECE {}  Brier {}  AUROC {}\n", words(metrics.ece), words(metrics.brier),
                      words(metrics.auroc));
  for (const learn::ReliabilityBin& bin : learn::reliability(rows, kBins)) {
    std::string bar(kBarColumns + 1, ' ');
    const auto place = [](double share) {
      return static_cast<std::size_t>(std::lround(share * static_cast<double>(kBarColumns)));
    };
    std::fill_n(bar.begin(), place(bin.observed), '#');
    bar[place(bin.predicted)] = '|';
    text += fmt::format("  {:.2f} predicted, {:.2f} right {} {}\n", bin.predicted, bin.observed,
                        bar, bin.rows);
  }
  return text;
}

std::string mix_text(std::string_view title, const Mix& mix) {
  return fmt::format("  {:<12} {:>5} runs, edge expected right {:.3f}, cloud answered {:.0f} %\n",
                     title, mix.runs, mix.edge, 100 * mix.cloud);
}

void print_text(const Status& status) {
  std::string text;
  if (const learn::Model* model = status.model.model.get()) {
    text += fmt::format("weights {} from {} texts: {}\n", status.model.digest,
                        model->fingerprints.size(),
                        model->provenance.substr(0, model->provenance.find_first_of(";\n")));
  } else {
    text += "no weights: chances are set by hand, and nothing is learned\n";
  }
  text += status.is_corrected ? "served with what was learned since training\n"
                              : "served as they were trained\n";
  text += fmt::format("{} runs; labels: {} by users, {} by agreement\n", status.runs, status.told,
                      status.agreed);
  if (!status.learned.verdict.empty()) {
    text += fmt::format("{:%Y-%m-%d %H:%M:%S} UTC: {}\n",
                        fmt::gmtime(static_cast<std::time_t>(status.learned.at)),
                        status.learned.verdict);
  }
  if (!status.serving.empty()) {
    text += "\n" + metrics_text("serving", status.serving);
    text += "\n" + metrics_text("candidate (which has seen these labels)", status.candidate);
  }
  if (status.recent.runs > 0) {
    text += "\ndrift\n" + mix_text("recent", status.recent);
    if (status.before.runs > 0) text += mix_text("before", status.before);
    text += status.before.runs < kRecent ? "  too few runs to compare\n"
            : status.has_shifted()       ? "  the questions have shifted\n"
                                         : "  no shift to be seen\n";
  }
  show(stdout, text);
}

}  // namespace

int run_route_status(const RouteStatusOptions& options) {
  const auto status = read_status(options);
  if (!status) return complain_of(status.error());
  options.json ? print_status(*status) : print_text(*status);
  return kAnswered;
}

}  // namespace hf::cli
