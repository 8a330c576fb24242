#include "cli/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/sentence.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "cli/profile_run.h"
#include "eval/outcome_log.h"
#include "eval/tally.h"
#include "eval/tasks.h"
#include "plan/prompts.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

namespace json = wire::json;

// Edge before cloud, otherwise as configured.
std::vector<EndpointConfig> arms_of(const Config& config) {
  std::vector<EndpointConfig> arms;
  for (const Tier tier : {Tier::kEdge, Tier::kCloud}) {
    std::ranges::copy_if(config.endpoints, std::back_inserter(arms),
                         [tier](const EndpointConfig& arm) { return arm.endpoint.tier == tier; });
  }
  return arms;
}

Result<Budget> budget_of(const ProfileOptions& options, const Config& config) {
  Budget budget = config.process_budget;
  if (options.budget_usd.empty()) return budget;
  HF_TRY(const PicoUsd usd, parse_usd(options.budget_usd));
  const bool may_raise = options.config.file.empty();
  if (budget.usd && usd > *budget.usd && !may_raise) {
    complain("the dollar budget stays at the configuration's limit, which is lower.", 0);
  } else {
    budget.usd = usd;
  }
  return budget;
}

// The tasks that have no row yet. Refuses rows that are of other questions or endpoints.
Result<std::vector<wire::Task>> tasks_left(const ProfileOptions& options,
                                           std::vector<wire::Task> tasks,
                                           const std::vector<EndpointConfig>& arms,
                                           const eval::OutcomeLog& log) {
  std::map<std::string_view, const OutcomeRow*> rows;
  for (const OutcomeRow& row : log.rows()) rows.emplace(row.query, &row);
  const auto is_arm = [](const EndpointConfig& arm, const ArmOutcome& outcome) {
    return arm.endpoint.name == outcome.endpoint && arm.endpoint.tier == outcome.tier;
  };
  std::vector<wire::Task> left;
  for (wire::Task& task : tasks) {
    const auto found = rows.find(task.id);
    if (found == rows.end()) {
      left.push_back(std::move(task));
      continue;
    }
    const OutcomeRow& row = *found->second;
    const auto refuse = [&](std::string_view what) {
      return fail(Code::kInvalidInput,
                  fmt::format("{}: the row of \"{}\" is of {}; choose another --out.", options.out,
                              task.id, what));
    };
    if (row.text != task.question) return refuse("another question");
    if (!std::ranges::equal(arms, row.arms, is_arm)) return refuse("other endpoints");
  }
  return left;
}

// What the run will take, before it is known.
std::string estimate_text(const ProfileJob& job) {
  std::int64_t prompt = 0;
  for (const wire::Task& task : job.tasks) {
    for (const ChatMessage& message : whole_prompt(task.question)) {
      prompt += static_cast<std::int64_t>(message.content.size() / 4);
    }
  }
  const auto tasks = static_cast<std::int64_t>(job.tasks.size());
  const Tokens completion = job.config.answer_tokens_max * tasks;
  std::string prices;
  for (const EndpointConfig& arm : job.arms) {
    const PicoUsd usd = cost_of(arm.endpoint.price,
                                {.prompt = Tokens(prompt), .cached = {}, .completion = completion});
    prices +=
        fmt::format("{}{} ${:.4f}", prices.empty() ? "" : ", ", arm.endpoint.name, to_usd(usd));
  }
  std::string text = fmt::format(
      "{} calls ({} tasks on {} endpoints). Estimated, at 4 bytes a token and with every answer as "
      "long as it may be: each endpoint reads {} tokens and writes {}; {}.",
      tasks * std::ssize(job.arms), tasks, job.arms.size(), prompt, completion.count(), prices);
  if (job.budget.usd) text += fmt::format(" Budget: ${}.", wire::usd_text(*job.budget.usd));
  return text + "\n";
}

std::string time_text(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// Appends each row to the file and says how far it is: on a terminal in one line that changes,
// elsewhere in a line for each tenth of the tasks.
class Progress final : public ProfileListener {
 public:
  Progress(eval::OutcomeLog& log, std::size_t tasks, std::size_t rows)
      : log_(log), tasks_(tasks), rows_(rows), is_live_(is_terminal(stderr)) {
    for (const OutcomeRow& row : log.rows()) eval::add_to(tallies_, row);
  }

  bool on_row(const OutcomeRow& row, const ProfileState& state) override {
    if (const auto appended = log_.append(row); !appended) {
      trouble_ = appended.error().message;
      return false;
    }
    ++rows_;
    eval::add_to(tallies_, row);
    tell(state);
    return true;
  }

  void on_failure(const wire::Task& task, const std::string& sentence,
                  const ProfileState& state) override {
    end_line();
    complain(fmt::format("task {} failed on {}", task.id, sentence), 0);
    tell(state);
  }

  // After which something else may be written.
  void end_line() {
    if (is_line_open_) std::fputs("\n", stderr);
    is_line_open_ = false;
  }

  [[nodiscard]] const std::vector<eval::ArmTally>& tallies() const { return tallies_; }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  void tell(const ProfileState& state) {
    const std::size_t tried = state.done + state.failed;
    const std::size_t tenth = tried * 10 / tasks_;
    if (!is_live_ && tenth == tenth_told_) return;
    tenth_told_ = tenth;
    std::string line = fmt::format("{}/{} tasks; right:", tried, tasks_);
    for (const eval::ArmTally& tally : tallies_) {
      line += fmt::format(" {} {:.0f}/{}", tally.endpoint, tally.right, tally.rows);
    }
    if (state.failed > 0) line += fmt::format("; {} failed", state.failed);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
    const double each = took.count() / static_cast<double>(tried);
    line += fmt::format("; ${:.4f}; {} left", to_usd(state.spent.usd),
                        time_text(each * static_cast<double>(tasks_ - tried)));
    if (!is_live_) return show(stderr, line + "\n");
    std::fputs("\r", stderr);
    show(stderr, fit(line, screen_size().width - 1));
    std::fflush(stderr);
    is_line_open_ = true;
  }

  eval::OutcomeLog& log_;
  const std::size_t tasks_;
  std::size_t rows_;
  const bool is_live_;
  std::vector<eval::ArmTally> tallies_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::size_t tenth_told_ = 0;
  bool is_line_open_ = false;
  std::string trouble_;
};

std::string_view name_of(ProfileEnd end) {
  switch (end) {
    case ProfileEnd::kDone:
      return "done";
    case ProfileEnd::kOverBudget:
      return "over budget";
    case ProfileEnd::kInterrupted:
      return "interrupted";
    case ProfileEnd::kGaveUp:
      return "gave up";
    case ProfileEnd::kStopped:
      return "stopped";
  }
  return "stopped";
}

// What is in the file now, and how it came there.
struct Summary {
  const ProfileOptions& options;
  const Progress& progress;
  const ProfileState& state;
  std::size_t tasks = 0;  // Asked for.
  std::size_t had = 0;    // Of them, those that had a row before.
};

std::string summary_json(const Summary& summary) {
  json::array arms;
  for (const eval::ArmTally& tally : summary.progress.tallies()) {
    const eval::Share share = eval::wilson(tally.right, tally.rows);
    arms.push_back({{"endpoint", tally.endpoint},
                    {"tier", tally.tier == Tier::kEdge ? "edge" : "cloud"},
                    {"rows", tally.rows},
                    {"right", tally.right},
                    {"accuracy", share.value},
                    {"low", share.low},
                    {"high", share.high},
                    {"prompt_tokens", tally.prompt.count()},
                    {"completion_tokens", tally.completion.count()},
                    {"usd", to_usd(tally.usd)},
                    {"seconds_mean", tally.seconds / static_cast<double>(tally.rows)}});
  }
  const json::object object{{"out", summary.options.out},
                            {"tasks", summary.tasks},
                            {"rows", summary.progress.rows()},
                            {"written", summary.state.done},
                            {"failed", summary.state.failed},
                            {"end", name_of(summary.state.end)},
                            {"usd", to_usd(summary.state.spent.usd)},
                            {"cloud_tokens", summary.state.spent.cloud_tokens.count()},
                            {"arms", std::move(arms)}};
  return wire::to_text(object, wire::Layout::kIndented) + "\n";
}

std::string summary_text(const Summary& summary) {
  std::string text = fmt::format("{}: {} rows; this run wrote {} and spent ${}",
                                 summary.options.out, summary.progress.rows(), summary.state.done,
                                 wire::usd_text(summary.state.spent.usd));
  if (summary.state.failed > 0) text += fmt::format("; {} tasks failed", summary.state.failed);
  text += "\n\n";
  std::size_t width = 8;
  for (const eval::ArmTally& tally : summary.progress.tallies()) {
    width = std::max(width, columns(tally.endpoint));
  }
  text += fmt::format("{}  {:5} {:>11} {:>8} {:>15} {:>9} {:>10} {:>8}\n", fit("endpoint", width),
                      "tier", "right", "share", "95 %", "tokens", "dollars", "s mean");
  for (const eval::ArmTally& tally : summary.progress.tallies()) {
    const eval::Share share = eval::wilson(tally.right, tally.rows);
    text += fmt::format("{}  {:5} {:>11} {:>7.1f}% {:>15} {:>9} {:>10.4f} {:>8.2f}\n",
                        fit(tally.endpoint, width), tally.tier == Tier::kEdge ? "edge" : "cloud",
                        fmt::format("{:.0f}/{}", tally.right, tally.rows), 100 * share.value,
                        fmt::format("{:.1f} to {:.1f}", 100 * share.low, 100 * share.high),
                        (tally.prompt + tally.completion).count(), to_usd(tally.usd),
                        tally.seconds / static_cast<double>(tally.rows));
  }
  return text + fmt::format("\nnext: hybridflow train {} --out weights.bin\n", summary.options.out);
}

int finish(const Summary& summary) {
  if (summary.progress.rows() > 0 || summary.options.json) {
    show(stdout, summary.options.json ? summary_json(summary) : summary_text(summary));
  }
  const ProfileState& state = summary.state;
  if (state.end == ProfileEnd::kStopped) return complain(summary.progress.trouble(), kFailed);
  if (state.end != ProfileEnd::kDone) {
    complain(fmt::format("it ended before all was done: {}. {} of {} tasks are in {}; the same "
                         "command goes on from there.",
                         clause_of(state.trouble), summary.had + state.done, summary.tasks,
                         summary.options.out),
             0);
  } else if (state.failed > 0) {
    complain(
        fmt::format("{} of {} tasks failed and have no row; the same command tries them again.",
                    state.failed, summary.tasks),
        0);
  }
  if (state.end == ProfileEnd::kInterrupted) return kInterrupted;
  if (state.end == ProfileEnd::kOverBudget) return kRefused;
  return state.failed > 0 ? kUnavailable : kAnswered;
}

// All that is read before anything is asked.
struct Prepared {
  ProfileJob job;
  RuntimeOptions runtime;
  std::size_t tasks = 0;
};

Result<Prepared> prepare(const ProfileOptions& options, std::vector<wire::Task>& tasks) {
  Prepared prepared;
  HF_TRY(tasks, eval::load_tasks(options.tasks));
  if (options.skip >= tasks.size()) {
    return fail(Code::kInvalidInput, fmt::format("--skip {} leaves none of the {} tasks of {}.",
                                                 options.skip, tasks.size(), options.tasks));
  }
  tasks.erase(tasks.begin(), tasks.begin() + static_cast<std::ptrdiff_t>(options.skip));
  tasks.resize(std::min(tasks.size(), options.limit));
  prepared.tasks = tasks.size();
  ProfileJob& job = prepared.job;
  HF_TRY(job.config, configure(options.config));
  job.arms = arms_of(job.config);
  HF_TRY(job.budget, budget_of(options, job.config));
  job.jobs = options.jobs;
  job.seed = options.seed;
  HF_TRY(prepared.runtime, runtime_options());
  return prepared;
}

}  // namespace

int run_profile(const ProfileOptions& options) {
  std::vector<wire::Task> tasks;
  auto prepared = prepare(options, tasks);
  if (!prepared) return complain(prepared.error().message, kBadUsage);
  ProfileJob& job = prepared->job;
  auto log = eval::OutcomeLog::open(options.out);
  if (!log) return complain(log.error().message, kBadUsage);
  auto left = tasks_left(options, std::move(tasks), job.arms, *log);
  if (!left) return complain(left.error().message, kBadUsage);
  job.tasks = *std::move(left);

  if (log->torn_bytes() > 0) {
    complain(fmt::format("{}: its last line was torn and is cut off.", options.out), 0);
  }
  const std::size_t had = prepared->tasks - job.tasks.size();
  if (had > 0) fmt::print(stderr, "{} of {} tasks have a row already.\n", had, prepared->tasks);
  Progress progress(*log, std::max<std::size_t>(job.tasks.size(), 1), log->rows().size());
  ProfileState state;
  if (!job.tasks.empty()) {
    say_without_cloud(options.config, job.config);
    show(stderr, estimate_text(job));
    auto run = profile(job, prepared->runtime, progress);
    progress.end_line();
    if (!run) {
      return complain(run.error().message,
                      run.error().code == Code::kInvalidInput ? kBadUsage : kFailed);
    }
    state = *std::move(run);
  }
  return finish({options, progress, state, prepared->tasks, had});
}

}  // namespace hf::cli
