#include "eval/evaluation_text.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

#include "eval/clairvoyant.h"

namespace hf::eval {
namespace {

using wire::json::array;
using wire::json::object;
using wire::json::value;

void add_interval(object& members, const std::string& name, const BootstrapInterval& interval) {
  members[name] = interval.value;
  members[name + "_low"] = interval.low;
  members[name + "_high"] = interval.high;
}

value price_json(const Setting& setting) {
  if (!setting.changes_price()) return nullptr;
  return value(fmt::format("{:g}x@{:g}%", setting.price.factor, setting.price.at * 100));
}

object cell_json(const Cell& cell) {
  object members{{"policy", cell.setting.policy},
                 {"order", name_of(cell.setting.order)},
                 {"price_change", price_json(cell.setting)},
                 {"budget", cell.setting.budget}};
  add_interval(members, "oracle_fraction", cell.oracle_fraction);
  add_interval(members, "actions_oracle_fraction", cell.actions_fraction);
  add_interval(members, "accuracy", cell.accuracy);
  add_interval(members, "strict_accuracy", cell.strict);
  add_interval(members, "utility", cell.utility);
  members["spent_usd"] = cell.spent_usd;
  members["spend_share"] = cell.spent_share;
  members["unused_share"] = 1 - cell.spent_share;
  members["overshoot"] = cell.overshoot_usd;
  members["makespan_mean"] = cell.makespan_mean;
  members["makespan_p95"] = cell.makespan_p95;
  members["edge_decisions"] = cell.to_edge;
  members["cloud_decisions"] = cell.to_cloud;
  members["attempts"] = cell.attempts;
  members["votes"] = cell.votes;
  members["cut_answers"] = cell.cut;
  members["decision_ns_p50"] = cell.decision_p50_ns;
  members["decision_ns_p99"] = cell.decision_p99_ns;
  members["spending"] = wire::json::value_from(cell.spending);
  return members;
}

// The clairvoyants that everything is measured by.
object oracle_json(const Cell& cell) {
  object members{{"oracle", cell.setting.policy},
                 {"order", name_of(cell.setting.order)},
                 {"price_change", price_json(cell.setting)},
                 {"budget", cell.setting.budget}};
  add_interval(members, "accuracy", cell.accuracy);
  members["spend_share"] = cell.spent_share;
  members["exact"] = cell.is_exact;
  return members;
}

object target_json(const Target& target) {
  object members{{"name", target.name}, {"statement", target.statement}};
  add_interval(members, "measured", target.measured);
  members["goal"] = target.goal;
  members["at_least"] = target.is_at_least;
  members["hit"] = target.is_hit;
  members["note"] = target.note;
  return members;
}

// The text in lines of at most `width` columns, each after `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  while (text.size() > width - indent) {
    std::size_t cut = text.rfind(' ', width - indent);
    if (cut == std::string_view::npos || cut == 0) cut = width - indent;
    out += fmt::format("{:{}}{}\n", "", indent, text.substr(0, cut));
    text.remove_prefix(text[cut] == ' ' ? cut + 1 : cut);
  }
  return out + fmt::format("{:{}}{}\n", "", indent, text);
}

std::string targets_text(const Targets& targets) {
  std::string text = "\nTargets set before anything was measured:\n";
  for (const Target& target : targets.targets) {
    text += wrapped(fmt::format("{}: {}", target.name, target.statement), 0, 98);
    if (std::isnan(target.measured.value)) {
      text += fmt::format("  {}: there is nothing to compare with\n", verdict_of(target));
      continue;
    }
    text +=
        fmt::format("  {:.3f} ({:.3f} to {:.3f}), wanted {} {:g}: {}\n", target.measured.value,
                    target.measured.low, target.measured.high,
                    target.is_at_least ? "at least" : "at most", target.goal, verdict_of(target));
    if (!target.note.empty()) text += wrapped(target.note, 2, 98);
  }
  text +=
      "\nAdaptive against the best fixed threshold (the paper: .7940 against .6329).\n"
      "Utility: part of the clairvoyant's gain, mean over the budgets 5, 10, 25 and 50 %.\n";
  for (const Headline& row : targets.headline) {
    if (std::isnan(row.utility.value)) {
      text += fmt::format("  {:22}not defined here: there is nothing to gain\n", row.policy);
      continue;
    }
    text += fmt::format("  {:22}{:.4f} ({:.4f} to {:.4f})", row.policy, row.utility.value,
                        row.utility.low, row.utility.high);
    if (&row != &targets.headline.front()) {
      text += fmt::format("  {:+.4f} ({:+.4f} to {:+.4f})", row.difference.value,
                          row.difference.low, row.difference.high);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

std::string stream_name(const Setting& setting) {
  std::string name(name_of(setting.order));
  if (setting.changes_price()) {
    name += fmt::format(", price {:g}x at {:g} %", setting.price.factor, setting.price.at * 100);
  }
  return name;
}

std::string evaluation_text(const Evaluation& evaluation, const Targets* targets,
                            const EvaluationNotes& notes) {
  std::string text = fmt::format(
      "{} queries, {} subtasks, {} rows left out; {} stream orders\nall edge {:.4f}, all cloud "
      "{:.4f} for ${:.4f}\n",
      notes.queries, notes.subtasks, notes.rows_left_out, notes.seeds, evaluation.all_edge.value,
      evaluation.all_cloud.value, evaluation.all_cloud_usd);
  if (!notes.weights.empty()) text += "weights:\n" + wrapped(notes.weights, 2, 98);
  const Setting* before = nullptr;
  double over = 0;
  for (const Cell& cell : evaluation.cells) {
    const Setting& at = cell.setting;
    over = std::max(over, cell.overshoot_usd);
    if (before == nullptr || before->budget != at.budget || before->order != at.order ||
        before->price.factor != at.price.factor) {
      text += fmt::format(
          "\nbudget {:g} % of all cloud, {}\n{:27}{:>9}{:>10}{:>17}{:>7}{:>7}{:>8}{:>7}{:>8}\n",
          at.budget * 100, stream_name(at), "policy", "accuracy", "of oracle", "95 %", "spent",
          "cloud", "tried", "mean s", "ns p99");
    }
    before = &at;
    text += fmt::format(
        "{:27}{:>9.4f}{:>10.4f}  {:>6.4f} {:>6.4f} {:>7.3f}{:>7.0f}{:>8.0f}{:>7.2f}{:>8.0f}\n",
        at.policy, cell.accuracy.value, cell.oracle_fraction.value, cell.oracle_fraction.low,
        cell.oracle_fraction.high, cell.spent_share, cell.to_cloud, cell.attempts,
        cell.makespan_mean, cell.decision_p99_ns);
  }
  text += fmt::format("\nmost dollars above any budget: {:g}\n", over);
  return targets == nullptr ? text : text + targets_text(*targets);
}

object evaluation_json(const Evaluation& evaluation, const Targets* targets,
                       const EvaluationNotes& notes) {
  object all;
  array results;
  array oracles;
  for (const Cell& cell : evaluation.cells) {
    results.push_back(cell_json(cell));
    const auto foresight = foresight_named(cell.setting.policy);
    if (foresight == Foresight::kOutcomes || foresight == Foresight::kActions) {
      oracles.push_back(oracle_json(cell));
    }
  }
  all["results"] = std::move(results);
  array aims;
  array headline;
  if (targets != nullptr) {
    for (const Target& target : targets->targets) aims.push_back(target_json(target));
    for (const Headline& row : targets->headline) {
      object members{{"policy", row.policy}};
      add_interval(members, "utility", row.utility);
      add_interval(members, "difference", row.difference);
      headline.push_back(std::move(members));
    }
  }
  all["targets"] = std::move(aims);
  all["headline"] = std::move(headline);
  all["oracle"] = std::move(oracles);
  object bounds;
  add_interval(bounds, "all_edge", evaluation.all_edge);
  add_interval(bounds, "all_cloud", evaluation.all_cloud);
  bounds["all_cloud_usd"] = evaluation.all_cloud_usd;
  all["bounds"] = std::move(bounds);
  all["queries"] = notes.queries;
  all["subtasks"] = notes.subtasks;
  all["rows_left_out"] = notes.rows_left_out;
  all["seeds"] = notes.seeds;
  all["weights"] = notes.weights;
  return all;
}

}  // namespace hf::eval
