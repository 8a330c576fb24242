// The program: reads the command line and hands over to one file a subcommand.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "cli/ask.h"
#include "cli/doctor.h"
#include "cli/environment.h"
#include "cli/eval_route.h"
#include "cli/explain.h"
#include "cli/feedback.h"
#include "cli/import.h"
#include "cli/ledger.h"
#include "cli/models.h"
#include "cli/output.h"
#include "cli/plan_parse.h"
#include "cli/profile.h"
#include "cli/replay.h"
#include "cli/route_status.h"
#include "cli/serve.h"
#include "cli/simulate.h"
#include "cli/train.h"
#include "cli/version.h"
#ifdef HF_ENGINE
#include "cli/engine_command.h"
#endif

namespace hf::cli {
namespace {

void add_config_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("--config", options.file, "Configuration file (TOML)");
  command.add_flag("--lab", options.lab, "Use a larger local model as a stand-in for the cloud");
}

void add_planner_option(CLI::App& command, ConfigOptions& options) {
  command.add_option("--planner", options.planner, "Name of the endpoint that writes the plan");
}

void add_policy_option(CLI::App& command, std::string& policy) {
  const std::vector<std::string> names(policy_names().begin(), policy_names().end());
  command.add_option("--policy", policy, "Routing policy")->check(CLI::IsMember(names));
}

// CLI11 takes -1 for the largest number there is.
std::uint64_t read_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, seed);
  if (error == std::errc() && stopped == end) return seed;
  throw CLI::ValidationError("--seed", fmt::format("'{}' is not a whole number from 0 to {}", text,
                                                   std::numeric_limits<std::uint64_t>::max()));
}

void add_seed_option(CLI::App& command, std::uint64_t& seed) {
  const auto read = [&seed](const std::string& text) { seed = read_seed(text); };
  command.add_option_function<std::string>("--seed", read, "Seed of everything random");
}

// An option that is there but empty (`--budget-usd "$LIMIT"`, the variable not set) must not pass
// for one that is not there.
void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0 || option->get_name() == "question") continue;
    option->check([](const std::string& text) {
      return text.empty() ? std::string("needs a value that is not empty") : std::string();
    });
  }
  for (CLI::App* command : app.get_subcommands({})) refuse_empty_values(*command);
}

bool is_empty_assignment(std::string_view argument) {
  return argument.starts_with("--") && argument.ends_with('=');
}

void add_ask(CLI::App& app, AskOptions& options) {
  CLI::App& command = *app.add_subcommand("ask", "Answer a question");
  command.add_option("question", options.question,
                     "The question; - reads standard input, as does nothing unless that is a "
                     "terminal");
  add_config_options(command, options.config);
  add_planner_option(command, options.config);
  add_policy_option(command, options.policy);
  command.add_option("--plan", options.plan, "auto, always, never, or a file with a plan");
  command.add_option("--budget-usd", options.budget_usd, "Hard limit in dollars");
  command.add_option("--budget-tokens", options.budget_tokens, "Hard limit in cloud tokens");
  command.add_option("--deadline", options.deadline, "Hard limit in time, for example 20s");
  add_seed_option(command, options.seed);
  command.add_option("--record", options.record, "Write the run's event log to this file");
  command.add_option("--scope", options.scope, "Spend from this scope of the configured ledger");
  command.add_flag("--local", options.local, "Let nothing of this question leave for the cloud");
  command.add_flag("--json", options.json, "Print the receipt as JSON");
  command.add_flag("-v,--verbose", options.verbose, "Say each event in a line of its own");
}

struct PlanCommand {
  PlanOptions options;
  std::string parse;
  bool json = false;
};

void add_plan(CLI::App& app, PlanCommand& plan) {
  CLI::App& command = *app.add_subcommand("plan", "Show how a question would be split");
  auto* question =
      command.add_option("question", plan.options.question, "The question; - reads standard input");
  auto* parse = command.add_option("--parse", plan.parse,
                                   "Read plan markup from a file or - instead of asking");
  question->excludes(parse);
  auto* format = command.add_option("--format", plan.options.format, "text, json, dot or svg")
                     ->check(CLI::IsMember({"text", "json", "dot", "svg"}));
  command.add_flag("--json", plan.json, "The same as --format json")->excludes(format);
  add_config_options(command, plan.options.config);
  add_planner_option(command, plan.options.config);
}

void add_replay(CLI::App& app, ReplayOptions& options) {
  CLI::App& command = *app.add_subcommand("replay", "Check a recorded run against this program");
  command.add_option("log", options.log, "A file that `ask --record` wrote")->required();
  command.add_option("--weights", options.weights,
                     "The weights of its router, if it did not use the shipped ones");
  command.add_flag("--explain", options.explain, "Show each decision with its reason");
  command.add_flag("--json", options.json, "As JSON");
}

void add_simulate(CLI::App& app, SimulateOptions& options) {
  CLI::App& command = *app.add_subcommand("simulate", "Run the scheduler in a virtual world");
  command
      .add_option("world", options.world, "A shipped world (chaos, hosted, lab, quiet) or a file")
      ->required();
  command.add_option("--seeds", options.seeds, "One seed or a range, for example 1..1000");
  add_policy_option(command, options.policy);
  command.add_option("--trace", options.trace, "Write what happened, in words, to this file");
  command.add_option("--jobs", options.jobs, "Threads; 0: all cores")->check(CLI::Range(0, 1024));
  command.add_flag("--json", options.json, "As JSON");
}

void add_ledger(CLI::App& app, LedgerOptions& options) {
  CLI::App& command = *app.add_subcommand("ledger", "Budgets that last: what is spent and lent");
  command.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, LedgerAction action) {
    CLI::App* sub = command.add_subcommand(name, help);
    sub->callback([&options, action] { options.action = action; });
    sub->add_option("--store", options.store, "The ledger's file; by default in the state folder");
    sub->add_flag("--json", options.json, "As JSON");
    return sub;
  };
  add("show", "Scopes, and leases with the state of their owners", LedgerAction::kShow);
  add("reconcile", "End the leases of processes that are gone", LedgerAction::kReconcile)
      ->add_flag("--elsewhere", options.elsewhere,
                 "Leases of other containers too: only if these have ended");
}

void add_models(CLI::App& app, ModelsOptions& options) {
  CLI::App& command = *app.add_subcommand("models", "List, fetch, verify and remove models");
  command.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, ModelsAction action) {
    CLI::App* sub = command.add_subcommand(name, help);
    sub->callback([&options, action] { options.action = action; });
    return sub;
  };
  add("list", "The known models and their state", ModelsAction::kList)
      ->add_flag("--json", options.json, "As JSON");
  add("pull", "Fetch a model", ModelsAction::kPull)->add_option("name", options.name)->required();
  add("verify", "Check the bytes of one model or of all", ModelsAction::kVerify)
      ->add_option("name", options.name);
  add("path", "Where a model is", ModelsAction::kPath)
      ->add_option("name", options.name)
      ->required();
  add("rm", "Remove a model", ModelsAction::kRemove)->add_option("name", options.name)->required();
}

void add_eval(CLI::App& app, EvalRouteOptions& options) {
  CLI::App& command = *app.add_subcommand("eval", "Judge policies on recorded outcomes");
  command.require_subcommand(1);
  CLI::App& route = *command.add_subcommand("route", "Every routing policy on the same outcomes");
  route.add_option("--outcomes", options.outcomes, "Files of outcome lines")->required();
  route.add_option("--graphs", options.graphs,
                   "Graphs to compose queries along: a file, or asynchow for the shipped ones");
  route.add_option("--policies", options.policies, "Which, with commas; all if not given");
  route.add_option("--budgets", options.budgets, "Parts of the all-cloud cost")
      ->capture_default_str();
  route.add_option("--orders", options.orders, "Of shuffled,sorted,drift")->capture_default_str();
  route.add_option("--price-change", options.price_change, "For example 2x@50%");
  route.add_option("--seeds", options.seeds, "Stream orders")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  route.add_option("--weights", options.weights,
                   "Weights of the router; the shipped ones if not "
                   "given");
  route.add_option("--split", options.split, "Of train, calibration, test, all")
      ->capture_default_str();
  route.add_option("--edge-places", options.edge_places, "Calls at once on the edge")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  route
      .add_option("--second-price", options.second_price,
                  "Gain that a second of a query's time must bring")
      ->capture_default_str();
  route.add_option("--jobs", options.jobs, "Threads; all cores if not given");
  route.add_flag("--targets", options.targets, "Measure the targets, too");
  route.add_flag("--json", options.json, "Print JSON");
  route.add_option("--report", options.report, "Folder for a page with plots");
}

void add_train(CLI::App& app, TrainOptions& options) {
  CLI::App& command = *app.add_subcommand("train", "Train the router's weights");
  command.add_option("outcomes", options.outcomes, "Files of outcome lines")->required();
  command.add_option("--out", options.out, "File for the weights")->required();
  command.add_option("--report", options.report, "Folder for a page with plots");
  add_seed_option(command, options.seed);
}

void add_import(CLI::App& app, ImportOptions& options) {
  CLI::App& command = *app.add_subcommand("import", "Recorded results of others as outcome lines");
  command.add_option("source", options.source, "mmlu-pro, routellm-mmlu or routellm-gsm8k")
      ->required();
  command
      .add_option("files", options.files,
                  "Of the source; mmlu-pro: outcomes, predictions, questions")
      ->required();
  command.add_option("--edge", options.edge, "mmlu-pro: the edge's model");
  command.add_option("--cloud", options.cloud, "mmlu-pro: the cloud's model");
  command.add_option("--voters", options.voters, "mmlu-pro: further edge models, with commas");
  command.add_option("--price-prompt", options.price_prompt, "Dollars per million tokens");
  command.add_option("--price-completion", options.price_completion, "Dollars per million tokens");
  command.add_option("--out", options.out, "File for the outcome lines; .gz compresses")
      ->required();
}

void add_explain(CLI::App& app, ExplainOptions& options) {
  CLI::App& command = *app.add_subcommand("explain", "Say why a past run did what it did");
  command.add_option("run", options.run, "The beginning of its id, or last; none: lists runs");
  command.add_option("subtask", options.subtask, "Only this one, as the plan calls it");
  command.add_flag("--json", options.json, "As JSON");
}

void add_feedback(CLI::App& app, FeedbackOptions& options) {
  CLI::App& command = *app.add_subcommand("feedback", "Say how right a past run was");
  command.add_option("run", options.run, "The beginning of its id, or last")->required();
  command.add_option("--correct", options.correct, "1 for right, 0 for wrong, or a part")
      ->required()
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--subtask", options.subtask, "This one, as the plan calls it");
}

void add_route(CLI::App& app, RouteStatusOptions& options) {
  CLI::App& command = *app.add_subcommand("route", "The router: what it has learned");
  command.require_subcommand(1);
  CLI::App& status = *command.add_subcommand("status", "Weights, labels, calibration and drift");
  add_config_options(status, options.config);
  status.add_flag("--json", options.json, "As JSON");
}

void add_profile(CLI::App& app, ProfileOptions& options) {
  CLI::App& command = *app.add_subcommand(
      "profile", "Put a file of tasks to every endpoint and record what became of it");
  command.add_option("--tasks", options.tasks, "Lines of JSON with question and answer; or .gz")
      ->required();
  add_config_options(command, options.config);
  command.add_option("--out", options.out, "File of outcome lines; it is continued if it is there")
      ->required();
  command.add_option("--skip", options.skip, "Leave out that many tasks at the begin")
      ->check(CLI::Range(0, 1'000'000'000));
  command.add_option("--limit", options.limit, "Then take at most that many")
      ->check(CLI::Range(1, 1'000'000'000));
  command.add_option("--budget", options.budget_usd, "Hard limit of this run in dollars");
  command
      .add_option("--jobs", options.jobs,
                  "Tasks at a time; more than 1 spoils the times of "
                  "endpoints that share a machine")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  add_seed_option(command, options.seed);
  command.add_flag("--json", options.json, "Print the summary as JSON");
}

void add_serve(CLI::App& app, ServeOptions& options) {
  CLI::App& command = *app.add_subcommand("serve", "Serve OpenAI-compatible chat completions");
  command.add_option("--listen", options.listen, "HOST:PORT (port 0: any) or unix:PATH")
      ->capture_default_str();
  add_config_options(command, options.config);
  add_planner_option(command, options.config);
  command.add_flag("--allow-anyone", options.allow_anyone,
                   "Listen where others can reach it, although there are no keys");
  command.add_option("--drain", options.drain, "Time for running queries to end after a signal")
      ->capture_default_str();
}

#ifdef HF_ENGINE
void add_engine(CLI::App& app, engine::EngineOptions& options) {
  CLI::App& command = *app.add_subcommand("engine", "Serve one local model over HTTP");
  command.add_option("model", options.model_path, "A name of `models list` or the path of a .gguf")
      ->required();
  command.add_option("--listen", options.listen, "unix:PATH or HOST:PORT (port 0: any)");
  command.add_option("--name", options.name, "Model name to serve it by");
  command.add_option("--slots", options.slots, "Answers at once")->check(CLI::Range(1, 64));
  command.add_option("--context", options.context, "Tokens of context shared by all slots")
      ->check(CLI::Range(256, 1'048'576));
  command.add_option("--threads", options.threads, "At most this many cores; 0: all")
      ->check(CLI::Range(0, 1024));
  command.add_option("--queue", options.queue, "Requests that may wait")
      ->check(CLI::Range(1, 4096));
  command.add_flag("--embedding", options.can_embed, "Serve embeddings too");
  command
      .add_option_function<std::int64_t>(
          "--lab-round-trip",
          [&options](const std::int64_t& ms) {
            options.lab.round_trip = std::chrono::milliseconds(ms);
          },
          "Act distant: milliseconds before the first byte")
      ->check(CLI::Range(0, 600'000));
  command.add_option("--lab-rate", options.lab.tokens_per_second, "Act metered: tokens per second")
      ->check(CLI::Range(0.0, 1e6));
  command.add_option("--lab-failure-rate", options.lab.failure_rate, "Act unreliable: 0 to 1")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--lab-cache", options.lab.cache_directory,
                     "Keep answers here and replay them");
  command.add_flag("--parent-watch", options.watches_parent, "End when standard input closes");
}
#else
// So that whoever asks for it learns why it is not here.
void add_engine(CLI::App& app) {
  app.add_subcommand("engine", "Not in this build: serves one local model")
      ->allow_extras()
      ->set_help_flag();
}
#endif

// The options of every command, filled in by the parser.
struct Commands {
  AskOptions ask;
  PlanCommand plan;
  LedgerOptions ledger;
  ModelsOptions models;
  ReplayOptions replay;
  SimulateOptions simulate;
  EvalRouteOptions eval;
  TrainOptions train;
  ImportOptions import;
  ProfileOptions profile;
  ExplainOptions explain;
  FeedbackOptions feedback;
  RouteStatusOptions route_status;
  ServeOptions serve;
  DoctorOptions doctor;
  bool version_json = false;
#ifdef HF_ENGINE
  engine::EngineOptions engine;
#endif
};

void add_commands(CLI::App& app, Commands& commands) {
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  add_ask(app, commands.ask);
  add_plan(app, commands.plan);
  add_ledger(app, commands.ledger);
  add_models(app, commands.models);
  add_replay(app, commands.replay);
  add_simulate(app, commands.simulate);
  add_eval(app, commands.eval);
  add_train(app, commands.train);
  add_import(app, commands.import);
  add_profile(app, commands.profile);
  add_explain(app, commands.explain);
  add_feedback(app, commands.feedback);
  add_route(app, commands.route_status);
  add_serve(app, commands.serve);
  CLI::App& doctor = *app.add_subcommand("doctor", "Check the installation, models and endpoints");
  add_config_options(doctor, commands.doctor.config);
  doctor.add_flag("--json", commands.doctor.json, "As JSON");
  app.add_subcommand("version", "Show the version")
      ->add_flag("--json", commands.version_json, "As JSON");
  app.set_version_flag("--version", version_line());
#ifdef HF_ENGINE
  add_engine(app, commands.engine);
#else
  add_engine(app);
#endif
  refuse_empty_values(app);
}

// What the parser would complain of less plainly, or not at all.
std::optional<std::string> misuse_of(const CLI::App& app, std::span<char*> arguments) {
  const auto is_named = [&](const CLI::App* command) {
    return command->get_name() == arguments[1];
  };
  if (arguments.size() > 1 && arguments[1][0] != '-' &&
      std::ranges::none_of(app.get_subcommands({}), is_named)) {
    return fmt::format("There is no command '{}' (see --help)", arguments[1]);
  }
  const auto end = std::ranges::find(arguments, std::string_view("--"));
  const auto empty = std::find_if(arguments.begin(), end, is_empty_assignment);
  if (empty == end) return std::nullopt;
  return fmt::format("{} needs a value that is not empty (see --help)", *empty);
}

int run_command(const CLI::App& app, Commands& commands) {
  if (app.got_subcommand("ask")) return run_ask(commands.ask);
  if (app.got_subcommand("plan")) {
    PlanCommand& plan = commands.plan;
    if (plan.json) plan.options.format = "json";
    return plan.parse.empty() ? run_plan(plan.options)
                              : run_plan_parse(plan.parse, plan.options.format);
  }
  if (app.got_subcommand("replay")) return run_replay(commands.replay);
  if (app.got_subcommand("simulate")) return run_simulate(commands.simulate);
  if (app.got_subcommand("eval")) return run_eval_route(commands.eval);
  if (app.got_subcommand("train")) return run_train(commands.train);
  if (app.got_subcommand("import")) return run_import(commands.import);
  if (app.got_subcommand("profile")) return run_profile(commands.profile);
  if (app.got_subcommand("explain")) return run_explain(commands.explain);
  if (app.got_subcommand("feedback")) return run_feedback(commands.feedback);
  if (app.got_subcommand("route")) return run_route_status(commands.route_status);
  if (app.got_subcommand("serve")) return run_serve(commands.serve);
  if (app.got_subcommand("ledger")) return run_ledger(commands.ledger);
  if (app.got_subcommand("models")) {
    commands.models.getenv = [](const char* name) -> const char* { return std::getenv(name); };
    return run_models(commands.models);
  }
  if (app.got_subcommand("doctor")) return run_doctor(commands.doctor);
#ifdef HF_ENGINE
  if (app.got_subcommand("engine")) return run_engine_command(commands.engine);
#else
  if (app.got_subcommand("engine")) {
    return complain(
        "This build has no local engine; build with -DHF_ENGINE=ON, or describe a server as an "
        "endpoint in a configuration file.",
        kBadUsage);
  }
#endif
  return run_version(commands.version_json);
}

int run(int argc, char** argv) {
  CLI::App app(
      "HybridFlow: splits a hard question into subtasks and runs each on a local or a cloud "
      "model.");
  Commands commands;
  add_commands(app, commands);
  const auto misuse = misuse_of(app, std::span(argv, static_cast<std::size_t>(argc)));
  if (misuse) return complain(*misuse, kBadUsage);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return complain(fmt::format("{} (see --help)", error.what()), kBadUsage);
  }
  return run_command(app, commands);
}

// A descriptor that the caller has closed would be given to the next file or socket; this keeps its
// place, and its use fails as it should.
void keep_standard_descriptors() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) >= 0) continue;
    static_cast<void>(::open("/dev/null", file == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
  }
}

// Until a command takes these over to settle what it has begun, there is nothing to settle.
void end_at_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const auto before = std::signal(signal, [](int) { std::_Exit(kInterrupted); });
    if (before == SIG_IGN) std::signal(signal, SIG_IGN);  // As nohup wants it.
  }
}

int guarded(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // A write that failed: finish_output says so.
    if (std::ferror(stdout) != 0) return kFailed;
    return complain(fmt::format("internal fault: {}", error.what()), kFailed);
  }
}

}  // namespace
}  // namespace hf::cli

int main(int argc, char** argv) {
  // A closed pipe or socket is an error of one write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  hf::cli::end_at_signals();
  hf::cli::keep_standard_descriptors();
  return hf::cli::finish_output(hf::cli::guarded(argc, argv));
}
