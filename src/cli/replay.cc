#include "cli/replay.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "replay/replay.h"
#include "runtime/router_model.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

using wire::json::array;
using wire::json::object;

constexpr int kDifferent = 1;

std::string_view word_of(const std::optional<Outcome>& outcome) {
  return outcome ? wire::name_of(*outcome) : "running";
}

// What is being done: "plan", "subtask #2".
std::string job_of(const StartCall& call) {
  if (call.kind == CallKind::kPlanner) return "plan";
  return fmt::format("subtask #{}", index_of(call.subtask) + 1);
}

std::string_view reason_of(const Choice& choice) {
  return choice.decision ? choice.decision->reason.view() : "the planner";
}

const std::string& endpoint_of(const ReplayReport& report, const Choice& choice) {
  return report.header.scheduler.endpoints[index_of(choice.call.endpoint)].name;
}

// What keeps the log from being that of a whole run; empty if nothing does.
std::string gap_of(const ReplayReport& report) {
  if (!report.cut.empty()) return fmt::format("recording was cut: {}", report.cut);
  return report.is_complete ? "" : "the log ends in the middle of the run";
}

std::string verdict_of(const ReplayReport& report, const std::string& log) {
  std::string text;
  if (report.difference) {
    const ReplayDifference& found = *report.difference;
    text = fmt::format("{}:{}: {}: the log has {} = {}, the replay gives {}", log, found.line,
                       found.event, found.what.place, found.what.expected, found.what.got);
  }
  if (report.changed_line != 0) {
    text += fmt::format("{}{}:{}: this line is not as it was recorded{}", text.empty() ? "" : "\n",
                        log, report.changed_line,
                        report.difference ? "" : ", though every command comes out the same");
  }
  return text;
}

void explain(const ReplayReport& report) {
  for (const Choice& choice : report.choices) {
    std::string line =
        fmt::format("{:9.3f} s  query {}  call {}  {} -> {}: {}",
                    std::chrono::duration<double>(choice.at).count(), index_of(choice.call.query),
                    index_of(choice.call.call), job_of(choice.call), endpoint_of(report, choice),
                    reason_of(choice));
    if (choice.decision) {
      const Decision& decision = *choice.decision;
      line += fmt::format(" (utility {:.4g}, threshold {:.4g}, cost {:.4g}, probability {:.4g})",
                          decision.utility, decision.threshold, decision.cost, decision.propensity);
    }
    show(stdout, line + "\n");
  }
}

void print_text(const ReplayReport& report, const ReplayOptions& options) {
  if (options.explain) explain(report);
  for (const ReplayedQuery& query : report.queries) {
    show(stdout,
         fmt::format("query {}: {}, ${} and {} cloud tokens spent, {} edge tokens\n",
                     index_of(query.query), word_of(query.outcome), wire::usd_text(query.spent.usd),
                     query.spent.cloud_tokens.count(), query.edge_tokens.count()));
  }
  const std::string gap = gap_of(report);
  show(stdout, fmt::format("{} events, {} commands, {}{}{}\n", report.events, report.commands,
                           report.is_identical() ? "identical" : "different",
                           gap.empty() ? "" : "; ", gap));
  if (report.is_identical()) return;
  show(stderr, verdict_of(report, options.log) + "\n");
  if (report.header.program != HF_VERSION) {
    complain(fmt::format("version {} made the log, this is {}", report.header.program, HF_VERSION),
             kDifferent);
  }
}

object choice_object(const ReplayReport& report, const Choice& choice) {
  object made{{"query", index_of(choice.call.query)},
              {"call", index_of(choice.call.call)},
              {"at_ns", choice.at.count()},
              {"job", job_of(choice.call)},
              {"endpoint", endpoint_of(report, choice)},
              {"reason", reason_of(choice)}};
  if (choice.decision) {
    made["utility"] = choice.decision->utility;
    made["threshold"] = choice.decision->threshold;
    made["normalised_cost"] = choice.decision->cost;
    made["propensity"] = choice.decision->propensity;
  }
  return made;
}

void print_report(const ReplayReport& report, const ReplayOptions& options) {
  array queries;
  for (const ReplayedQuery& query : report.queries) {
    queries.push_back(object{{"query", index_of(query.query)},
                             {"outcome", word_of(query.outcome)},
                             {"pico_usd", query.spent.usd.count()},
                             {"cloud_tokens", query.spent.cloud_tokens.count()},
                             {"edge_tokens", query.edge_tokens.count()}});
  }
  object made{{"program", report.header.program},
              {"policy", report.header.policy},
              {"events", report.events},
              {"commands", report.commands},
              {"identical", report.is_identical()},
              {"complete", report.is_complete},
              {"cut", report.cut},
              {"queries", std::move(queries)},
              {"difference", nullptr},
              {"changed_line", nullptr}};
  if (report.difference) {
    const ReplayDifference& found = *report.difference;
    made["difference"] = {{"line", found.line},
                          {"event", found.event},
                          {"place", found.what.place},
                          {"expected", found.what.expected},
                          {"got", found.what.got}};
  }
  if (report.changed_line != 0) made["changed_line"] = report.changed_line;
  if (options.explain) {
    array choices;
    for (const Choice& choice : report.choices) choices.push_back(choice_object(report, choice));
    made["decisions"] = std::move(choices);
  }
  print_json(made);
}

Result<std::shared_ptr<const learn::Model>> find_model(const std::string& file,
                                                       const std::string& digest) {
  const std::string weights = file.empty() ? std::string(kShippedWeights) : file;
  HF_TRY(RouterModel found, load_router_model(weights));
  if (found.digest == digest) return std::move(found.model);
  return fail(Code::kInvalidInput,
              fmt::format("the run was routed by weights {}, but {} are {}; name its weights with "
                          "--weights",
                          digest, file.empty() ? "the shipped ones" : file, found.digest));
}

}  // namespace

int run_replay(const ReplayOptions& options) {
  std::error_code error;
  std::ifstream log(options.log, std::ios::binary);
  if (!log || std::filesystem::is_directory(options.log, error))
    return complain(fmt::format("The event log '{}' cannot be read.", options.log), kBadUsage);
  const auto report = replay(log, options.log, [&](const std::string& digest) {
    return find_model(options.weights, digest);
  });
  if (!report) return complain(report.error().message, kBadUsage);
  options.json ? print_report(*report, options) : print_text(*report, options);
  return report->is_identical() ? kAnswered : kDifferent;
}

}  // namespace hf::cli
