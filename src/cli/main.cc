// The program: reads the command line and hands over to one file a subcommand.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/ask.h"
#include "cli/commands_bench.h"
#include "cli/db.h"
#include "cli/doctor.h"
#include "cli/environment.h"
#include "cli/eval_route.h"
#include "cli/explain.h"
#include "cli/feedback.h"
#include "cli/import.h"
#include "cli/keys.h"
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

void add_seed_option(CLI::App& command, std::uint64_t& seed) {
  command.add_option("--seed", seed, "Seed of everything random")->check([](const auto& text) {
    const auto number = read_seed(text);
    return number ? "" : number.error().message;
  });
}

// A command that only groups others.
CLI::App& add_group(CLI::App& app, const char* name, const char* help) {
  return *app.add_subcommand(name, help)->require_subcommand(1);
}

// One of a group: it sets `chosen` to `action`.
template <class Action>
CLI::App* add_action(CLI::App& group, const char* name, const char* help, Action& chosen,
                     Action action) {
  CLI::App* command = group.add_subcommand(name, help);
  command->callback([&chosen, action] { chosen = action; });
  return command;
}

void add_place_options(CLI::App& command, LedgerPlace& place) {
  command.add_option("--config", place.config, "Configuration file that names the ledger");
  command.add_option("--store", place.store, "The ledger's file, whatever is configured");
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

void add_plan(CLI::App& app, PlanOptions& options) {
  CLI::App& command = *app.add_subcommand("plan", "Show how a question would be split");
  auto* question =
      command.add_option("question", options.question, "The question; - reads standard input");
  auto* parse = command.add_option("--parse", options.parse,
                                   "Read plan markup from a file or - instead of asking");
  question->excludes(parse);
  auto* format = command.add_option("--format", options.format, "text, json, dot or svg")
                     ->check(CLI::IsMember({"text", "json", "dot", "svg"}));
  const auto use_json = [&options] { options.format = "json"; };
  command.add_flag_callback("--json", use_json, "The same as --format json")->excludes(format);
  add_config_options(command, options.config);
  add_planner_option(command, options.config);
}

void add_replay(CLI::App& app, ReplayOptions& options) {
  CLI::App& command = *app.add_subcommand("replay", "Check a recorded run against this program");
  command.add_option("log", options.log, "A file that `ask --record` wrote")->required();
  command.add_option("--weights", options.weights, "Of its router, if not the shipped ones");
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
  CLI::App& group = add_group(app, "ledger", "Budgets that last: what is spent and lent");
  const auto add = [&](const char* name, const char* help, LedgerAction action) {
    CLI::App* command = add_action(group, name, help, options.action, action);
    add_place_options(*command, options.place);
    command->add_flag("--json", options.json, "As JSON");
    return command;
  };
  add("show", "Scopes, and leases with the state of their owners", LedgerAction::kShow);
  add("reconcile", "End the leases of processes that are gone", LedgerAction::kReconcile)
      ->add_flag("--elsewhere", options.elsewhere,
                 "Leases of other containers too: only if these have ended");
}

void add_limit_options(CLI::App& command, KeyLimits& limits) {
  command.add_option("--usd", limits.usd, "Budget in dollars a period, or none");
  command.add_option("--tokens", limits.tokens, "Budget in cloud tokens a period, or none");
  command.add_option("--period", limits.period, "day, month (the default) or total, in UTC")
      ->check(CLI::IsMember({"day", "month", "total"}));
  command.add_option("--requests-per-minute", limits.requests_per_minute, "At most, or none");
  command.add_option("--in-flight", limits.in_flight, "Requests at once at most, or none");
  command.add_option("--model", limits.models, "A model it may name, once for each; none: all")
      ->allow_extra_args(false);
  command.add_option("--expires", limits.expires, "30d from now, the begin of 2027-01-31, or none");
}

void add_keys(CLI::App& app, KeysOptions& options) {
  CLI::App& group = add_group(app, "keys", "Keys of the server: who may ask, and how much");
  const auto add = [&](const char* name, const char* help, KeysAction action) {
    CLI::App* command = add_action(group, name, help, options.action, action);
    add_place_options(*command, options.place);
    command->add_flag("--json", options.json, "As JSON");
    return command;
  };
  CLI::App* fresh = add("add", "Make a key and print it, this once", KeysAction::kAdd);
  fresh->add_option("--name", options.name, "What to call it")->required();
  add_limit_options(*fresh, options.limits);
  add("list", "All keys, what they have spent and their state", KeysAction::kList);
  CLI::App* set = add("set", "Change limits of a key", KeysAction::kSet);
  add_limit_options(*set, options.limits);
  for (CLI::App* named : {set, add("revoke", "End a key for good", KeysAction::kRevoke),
                          add("rotate", "Another secret for a key", KeysAction::kRotate)}) {
    named->add_option("name", options.name, "The key's name")->required();
  }
}

void add_db(CLI::App& app, DbOptions& options) {
  CLI::App& group = add_group(app, "db", "The files of the ledger and of the history");
  CLI::App* check = add_action(group, "check", "Read both whole and say whether they are sound",
                               options.action, DbAction::kCheck);
  CLI::App* backup = add_action(group, "backup", "Copy both, while others may use them",
                                options.action, DbAction::kBackup);
  for (CLI::App* command : {check, backup}) add_place_options(*command, options.place);
  backup->add_option("directory", options.directory, "Where the copies go")->required();
}

void add_models(CLI::App& app, ModelsOptions& options) {
  CLI::App& group = add_group(app, "models", "List, fetch, verify and remove models");
  options.getenv = [](const char* name) -> const char* { return std::getenv(name); };
  const auto add = [&](const char* name, const char* help, ModelsAction action) {
    return add_action(group, name, help, options.action, action);
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
  CLI::App& command = add_group(app, "eval", "Judge policies on recorded outcomes");
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
  route.add_option("--weights", options.weights, "Weights of the router; else the shipped ones");
  route.add_option("--split", options.split, "Of train, calibration, test, all")
      ->capture_default_str();
  route.add_option("--edge-places", options.edge_places, "Calls at once on the edge")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  route.add_option("--second-price", options.second_price, "Gain that a second must bring")
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
  command.add_option("files", options.files, "mmlu-pro: outcomes, predictions, questions")
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
  CLI::App& command = add_group(app, "route", "The router: what it has learned");
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
  command.add_option("--jobs", options.jobs, "Tasks at a time; 1 for times on a shared machine")
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
  PlanOptions plan;
  LedgerOptions ledger;
  KeysOptions keys;
  DbOptions db;
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
  BenchServeOptions bench;
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
  add_keys(app, commands.keys);
  add_db(app, commands.db);
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
  add_bench(app, commands.bench);
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

int run_command(const CLI::App& app, Commands& commands) {
  if (app.got_subcommand("ask")) return run_ask(commands.ask);
  if (app.got_subcommand("plan")) return run_plan(commands.plan);
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
  if (app.got_subcommand("bench")) return run_bench_serve(commands.bench);
  if (app.got_subcommand("ledger")) return run_ledger(commands.ledger);
  if (app.got_subcommand("keys")) return run_keys(commands.keys);
  if (app.got_subcommand("db")) return run_db(commands.db);
  if (app.got_subcommand("models")) return run_models(commands.models);
  if (app.got_subcommand("doctor")) return run_doctor(commands.doctor);
#ifdef HF_ENGINE
  if (app.got_subcommand("engine")) return run_engine_command(commands.engine);
#else
  if (app.got_subcommand("engine")) {
    return complain(
        "This build has no local engine; build with -DHF_ENGINE=ON, or configure an endpoint.",
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
  const auto is_command = [&](std::string_view name) {
    const auto is_named = [&](const CLI::App* command) { return command->get_name() == name; };
    return !app.get_subcommands(is_named).empty();
  };
  const auto misuse = misuse_of({argv, static_cast<std::size_t>(argc)}, is_command);
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

int guarded(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // A write that failed: finish_output says so, unless the reader has seen enough.
    if (std::ferror(stdout) != 0) return kAnswered;
    return complain(fmt::format("internal fault: {}", error.what()), kFailed);
  }
}

}  // namespace
}  // namespace hf::cli

int main(int argc, char** argv) {
  hf::cli::prepare_process();
  return hf::cli::finish_output(hf::cli::guarded(argc, argv));
}
