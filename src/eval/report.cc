#include "eval/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/markup.h"
#include "eval/plot.h"
#include "eval/training.h"
#include "learn/split.h"
#include "route/predictor.h"

namespace hf::eval {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HybridFlow: {}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1d2330; --soft: #667085; --line: #d9dee7;
  --back: #fbfbfd; --card: #fff; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e9ef; --soft: #9aa4b5; --line: #333b49;
  --back: #14181f; --card: #1b212b; }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.15rem; margin-top: 2.2rem; }}
p, li {{ max-width: 80ch; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr));
  gap: 1rem; }}
.plots svg {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  width: 100%; height: auto; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }}
td:first-child, th:first-child, td.words {{ text-align: left; }} td.words {{ white-space: normal; }}
.soft {{ color: var(--soft); }} .hit {{ color: #1a9850; font-weight: 600; }}
.missed {{ color: #d73027; font-weight: 600; }}
svg text {{ fill: var(--ink); font: 12px system-ui, sans-serif; }}
svg .title {{ font-size: 14px; font-weight: 600; }}
svg .tick {{ fill: var(--soft); font-size: 11px; }}
svg .grid {{ stroke: var(--line); }} svg .diagonal {{ stroke: var(--soft); stroke-dasharray: 3 3; }}
svg .line {{ fill: none; stroke: var(--c); stroke-width: 2; }}
svg .dashed {{ stroke-dasharray: 5 4; }}
svg .band {{ fill: var(--c); opacity: .15; }} svg .dot {{ fill: var(--c); }}
.c0 {{ --c: #d55e00; }} .c1 {{ --c: #0072b2; }} .c2 {{ --c: #009e73; }} .c3 {{ --c: #cc79a7; }}
.c4 {{ --c: #e69f00; }} .c5 {{ --c: #56b4e9; }} .c6 {{ --c: #8c6bb1; }} .c7 {{ --c: #999933; }}
.c8 {{ --c: #888888; }} .c9 {{ --c: #44aa99; }}
</style></head><body>
<h1>{}</h1>
)";

// What the plots show, if it was evaluated; the table has everything.
constexpr std::array<std::string_view, 9> kMain = {
    "spar", "hybridflow", "spar-no-attempts", "fixed", "ucci", "frugal", "dual", "pacer", "random"};
constexpr std::array<std::string_view, 7> kAblated = {"spar",
                                                      "spar-no-attempts",
                                                      "spar-no-slack",
                                                      "spar-no-resolve",
                                                      "spar-no-calibration",
                                                      "spar-no-late-binding",
                                                      "spar-online"};

std::string head(std::string_view title) {
  return fmt::format(kHead, title, title);
}

bool is_same_stream(const Setting& a, const Setting& b) {
  return a.order == b.order && a.price.factor == b.price.factor && a.price.at == b.price.at;
}

// One setting for each stream, in order.
std::vector<Setting> streams_of(const Evaluation& evaluation) {
  std::vector<Setting> streams;
  for (const Cell& cell : evaluation.cells) {
    const auto is_known = [&](const Setting& at) { return is_same_stream(at, cell.setting); };
    if (!std::ranges::any_of(streams, is_known)) streams.push_back(cell.setting);
  }
  return streams;
}

std::vector<double> budgets_of(const Evaluation& evaluation) {
  std::vector<double> budgets;
  for (const Cell& cell : evaluation.cells) budgets.push_back(cell.setting.budget);
  std::ranges::sort(budgets);
  const auto rest = std::ranges::unique(budgets);
  budgets.erase(rest.begin(), rest.end());
  return budgets;
}

// One line a policy over the budgets. `figure` gives x, y and the interval of a cell.
struct Mark {
  double x = 0;
  BootstrapInterval y;
};
template <class Figure>
Plot over_budgets(const Evaluation& evaluation, const Setting& stream,
                  std::span<const std::string_view> policies, const Figure& figure) {
  Plot plot;
  for (std::size_t p = 0; p < policies.size(); ++p) {
    Series series{.name = std::string(policies[p]),
                  .x = {},
                  .y = {},
                  .low = {},
                  .high = {},
                  .colour = policies[p] == "random" ? kPlotColours - 2 : p};
    for (const double budget : budgets_of(evaluation)) {
      const Cell* cell = evaluation.find(policies[p], budget, stream.order, stream.price);
      if (cell == nullptr) continue;
      const Mark mark = figure(*cell);
      series.x.push_back(mark.x);
      series.y.push_back(mark.y.value);
      // Bands of all lines would hide one another.
      if (p > 1) continue;
      series.low.push_back(mark.y.low);
      series.high.push_back(mark.y.high);
    }
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  return plot;
}

std::string fractions(const Evaluation& evaluation, const Setting& stream,
                      std::span<const std::string_view> policies, std::string_view title) {
  Plot plot = over_budgets(evaluation, stream, policies, [](const Cell& cell) {
    return Mark{cell.setting.budget, cell.oracle_fraction};
  });
  plot.title = fmt::format("{} ({})", title, stream_name(stream));
  plot.x_label = "budget, part of the all-cloud cost";
  plot.y_label = "part of the clairvoyant's gain";
  return svg_of(plot);
}

std::string accuracies(const Evaluation& evaluation, const Setting& stream) {
  Plot plot = over_budgets(evaluation, stream, kMain,
                           [&](const Cell& cell) { return Mark{cell.spent_usd, cell.accuracy}; });
  plot.title = fmt::format("Accuracy against cost ({})", stream_name(stream));
  plot.x_label = "dollars spent";
  plot.y_label = "accuracy";
  plot.as_percent = true;
  plot.from_zero = false;
  return svg_of(plot);
}

std::string spending(const Evaluation& evaluation, const Setting& stream, double budget) {
  Plot plot;
  plot.title = fmt::format("Spending at {:g} % ({})", budget * 100, stream_name(stream));
  plot.x_label = "part of the stream";
  plot.y_label = "part of the budget spent";
  for (std::size_t p = 0; p < kMain.size(); ++p) {
    const Cell* cell = evaluation.find(kMain[p], budget, stream.order, stream.price);
    if (cell == nullptr) continue;
    Series series{.name = std::string(kMain[p]),
                  .x = {0},
                  .y = {0},
                  .low = {},
                  .high = {},
                  .colour = kMain[p] == "random" ? kPlotColours - 2 : p,
                  .has_dots = false};
    for (std::size_t i = 0; i < cell->spending.size(); ++i) {
      series.x.push_back(static_cast<double>(i + 1) / static_cast<double>(cell->spending.size()));
      series.y.push_back(cell->spending[i]);
    }
    if (p == 0) {
      series.low = cell->spending_low;
      series.high = cell->spending_high;
      series.low.insert(series.low.begin(), 0);
      series.high.insert(series.high.begin(), 0);
    }
    plot.series.push_back(std::move(series));
  }
  return svg_of(plot);
}

std::string diagram(const std::string& name, const std::vector<learn::ReliabilityBin>& bins,
                    const learn::Metrics& metrics) {
  Plot plot;
  plot.title =
      fmt::format("P(right) of {}: ECE {:.3f}, AUROC {}", name, metrics.ece.value,
                  metrics.auroc.is_defined ? fmt::format("{:.3f}", metrics.auroc.value) : "n/a");
  plot.x_label = "predicted";
  plot.y_label = "observed";
  plot.has_diagonal = true;
  Series series{.name = fmt::format("{} rows, 95 %", metrics.rows),
                .x = {},
                .y = {},
                .low = {},
                .high = {},
                .colour = 1};
  for (const learn::ReliabilityBin& bin : bins) {
    series.x.push_back(bin.predicted);
    series.y.push_back(bin.observed);
    series.low.push_back(std::max(0.0, bin.observed - 1.96 * bin.error));
    series.high.push_back(std::min(1.0, bin.observed + 1.96 * bin.error));
  }
  plot.series.push_back(std::move(series));
  return svg_of(plot);
}

std::string targets_section(const Targets& targets) {
  std::string out =
      "<h2>Targets set before anything was measured</h2>\n<div class=\"scroll\"><table><tr><th>"
      "</th><th>target</th><th>measured</th><th>95 %</th><th>goal</th><th></th></tr>\n";
  for (const Target& target : targets.targets) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"words\">{}<br><span class=\"soft\">{}</span></td><td>{:.3f}"
        "</td><td>{:.3f} to {:.3f}</td><td>{} {:g}</td><td class=\"{}\">{}</td></tr>\n",
        escaped_markup(target.name), escaped_markup(target.statement), escaped_markup(target.note),
        target.measured.value, target.measured.low, target.measured.high,
        target.is_at_least ? "&ge;" : "&le;", target.goal, target.is_hit ? "hit" : "missed",
        verdict_of(target));
  }
  out +=
      "</table></div>\n<h2>Adaptive against the best fixed threshold</h2>\n<p>Utility: part of "
      "the clairvoyant's gain, mean over the budgets 5, 10, 25 and 50 %. The paper reports "
      ".7940 against .6329 without a definition. The best fixed threshold is chosen on these "
      "very rows.</p>\n<div class=\"scroll\"><table><tr><th>policy</th><th>utility</th><th>95 %"
      "</th><th>difference</th><th>95 %</th></tr>\n";
  for (const Headline& row : targets.headline) {
    if (std::isnan(row.utility.value)) {
      out += fmt::format("<tr><td>{}</td><td colspan=\"4\">not defined here</td></tr>\n",
                         escaped_markup(row.policy));
      continue;
    }
    out += fmt::format("<tr><td>{}</td><td>{:.4f}</td><td>{:.4f} to {:.4f}</td>",
                       escaped_markup(row.policy), row.utility.value, row.utility.low,
                       row.utility.high);
    out += &row == &targets.headline.front()
               ? "<td></td><td></td></tr>\n"
               : fmt::format("<td>{:+.4f}</td><td>{:+.4f} to {:+.4f}</td></tr>\n",
                             row.difference.value, row.difference.low, row.difference.high);
  }
  return out + "</table></div>\n";
}

std::string table(const Evaluation& evaluation, const Setting& stream, double budget) {
  std::string out = fmt::format(
      "<h3>Budget {:g} %, {}</h3>\n<div class=\"scroll\"><table><tr><th>policy</th><th>accuracy"
      "</th><th>95 %</th><th>of oracle</th><th>95 %</th><th>of actions oracle</th><th>strict</th>"
      "<th>spent</th><th>overshoot $</th><th>edge</th><th>cloud</th><th>attempts</th><th>mean s"
      "</th><th>p95 s</th><th>ns p50</th><th>ns p99</th></tr>\n",
      budget * 100, stream_name(stream));
  for (const Cell& cell : evaluation.cells) {
    if (!is_same_stream(cell.setting, stream) || cell.setting.budget != budget) continue;
    out += fmt::format(
        "<tr><td>{}</td><td>{:.4f}</td><td>{:.4f} to {:.4f}</td><td>{:.4f}</td><td>{:.4f} to "
        "{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.3f}</td><td>{:g}</td><td>{:.0f}</td>"
        "<td>{:.0f}</td><td>{:.0f}</td><td>{:.2f}</td><td>{:.2f}</td><td>{:.0f}</td><td>{:.0f}"
        "</td></tr>\n",
        escaped_markup(cell.setting.policy), cell.accuracy.value, cell.accuracy.low,
        cell.accuracy.high, cell.oracle_fraction.value, cell.oracle_fraction.low,
        cell.oracle_fraction.high, cell.actions_fraction.value, cell.strict.value, cell.spent_share,
        cell.overshoot_usd, cell.to_edge, cell.to_cloud, cell.attempts, cell.makespan_mean,
        cell.makespan_p95, cell.decision_p50_ns, cell.decision_p99_ns);
  }
  return out + "</table></div>\n";
}

}  // namespace

std::vector<Reliability> reliability_of(const Prepared& data,
                                        const std::shared_ptr<const learn::Model>& model) {
  const Predictor predictor(model);
  std::array<std::vector<learn::Scored>, 4> rows;
  for (const PreparedQuery& query : data.queries) {
    const std::uint64_t id = learn::stable_hash(query.name);
    for (std::size_t i = 0; i < query.graph.size(); ++i) {
      const Item& item = data.items[query.first + i];
      const RouteInput input = known_of(query, static_cast<SubtaskId>(i), item.features);
      const Chances before = predictor.before(input);
      const Chances after = predictor.after(input, item.last_look().attempt);
      rows[0].push_back({before.edge, item.edge_correct, id});
      rows[1].push_back({before.cloud, item.cloud_correct, id});
      rows[2].push_back({after.edge, item.last_look().correct, id});
      rows[3].push_back({after.cloud, item.cloud_correct, id});
    }
  }
  const std::array<std::string_view, 4> names = {"the edge", "the cloud", "the kept answer",
                                                 "the cloud after an attempt"};
  std::vector<Reliability> all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    all.push_back({std::string(names[i]), learn::reliability(rows[i]), learn::measure(rows[i])});
  }
  return all;
}

std::string evaluation_page(const Evaluation& evaluation, const Targets* targets,
                            const EvaluationNotes& notes,
                            const std::vector<Reliability>& reliability) {
  std::string page = head("routing policies on recorded outcomes");
  page += fmt::format(
      "<p>{} queries, {} subtasks, {} rows left out, {} stream orders. All on the edge: {:.4f} "
      "right; all in the cloud: {:.4f} for ${:.4f}. Bands and intervals are 95 % by a paired "
      "bootstrap over queries.</p>\n",
      notes.queries, notes.subtasks, notes.rows_left_out, notes.seeds, evaluation.all_edge.value,
      evaluation.all_cloud.value, evaluation.all_cloud_usd);
  if (!notes.weights.empty()) {
    page += fmt::format("<p class=\"soft\">Weights: {}</p>\n", escaped_markup(notes.weights));
  }
  if (targets != nullptr) page += targets_section(*targets);
  const std::vector<Setting> streams = streams_of(evaluation);
  const std::vector<double> budgets = budgets_of(evaluation);
  page += "<h2>Accuracy, cost and the clairvoyant</h2>\n<div class=\"plots\">\n";
  for (const Setting& stream : streams) {
    page += accuracies(evaluation, stream);
    page += fractions(evaluation, stream, kMain, "Part of the oracle's gain");
  }
  page += "</div>\n<h2>Ablations</h2>\n<div class=\"plots\">\n";
  for (const Setting& stream : streams) {
    page += fractions(evaluation, stream, kAblated, "spar without its parts");
  }
  page += "</div>\n<h2>Spending over the stream</h2>\n<div class=\"plots\">\n";
  const double middle = budgets[budgets.size() / 2];
  for (const Setting& stream : streams) page += spending(evaluation, stream, middle);
  page += "</div>\n<h2>Reliability of the predicted chances</h2>\n<div class=\"plots\">\n";
  for (const Reliability& each : reliability) {
    page += diagram(each.name, each.bins, each.metrics);
  }
  page += "</div>\n<h2>Everything</h2>\n";
  for (const Setting& stream : streams) {
    for (const double budget : budgets) page += table(evaluation, stream, budget);
  }
  return page + "</body></html>\n";
}

std::string training_page(const learn::Trained& trained) {
  std::string page = head("training of the router");
  page +=
      fmt::format("<pre>{}</pre>\n<div class=\"plots\">\n", escaped_markup(training_text(trained)));
  for (const learn::HeadReport& each : trained.report.heads) {
    page += diagram(each.name, each.bins, each.metrics);
  }
  return page + "</div></body></html>\n";
}

}  // namespace hf::eval
