// The program: reads the command line and hands over to one file a subcommand.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include "cli/ask.h"
#include "cli/doctor.h"
#include "cli/environment.h"
#include "cli/models.h"
#include "cli/plan_parse.h"
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

void add_ask(CLI::App& app, AskOptions& options) {
  CLI::App& command = *app.add_subcommand("ask", "Answer a question");
  command.add_option("question", options.question,
                     "The question; - or nothing reads standard input");
  add_config_options(command, options.config);
  add_planner_option(command, options.config);
  command.add_option("--policy", options.policy, "Routing policy")
      ->check(
          CLI::IsMember(std::vector<std::string>(policy_names().begin(), policy_names().end())));
  command.add_option("--plan", options.plan, "auto, always, never, or a file with a plan");
  command.add_option("--budget-usd", options.budget_usd, "Hard limit in dollars");
  command.add_option("--budget-tokens", options.budget_tokens, "Hard limit in cloud tokens");
  command.add_option("--deadline", options.deadline, "Hard limit in time, for example 20s");
  command.add_option("--seed", options.seed, "Seed of everything random");
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
#endif

int run(int argc, char** argv) {
  CLI::App app(
      "HybridFlow: splits a hard question into subtasks and runs each on a local or a cloud "
      "model.");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  AskOptions ask;
  PlanCommand plan;
  ModelsOptions models;
  DoctorOptions doctor;
  bool version_json = false;
  add_ask(app, ask);
  add_plan(app, plan);
  add_models(app, models);
  CLI::App& doctor_command =
      *app.add_subcommand("doctor", "Check the installation, models and endpoints");
  add_config_options(doctor_command, doctor.config);
  doctor_command.add_flag("--json", doctor.json, "As JSON");
  app.add_subcommand("version", "Show the version")->add_flag("--json", version_json, "As JSON");
#ifdef HF_ENGINE
  engine::EngineOptions engine_options;
  add_engine(app, engine_options);
#endif

  // Otherwise the complaint would be that a command is missing.
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && std::ranges::none_of(app.get_subcommands({}), is_named)) {
    return complain(fmt::format("There is no command '{}' (see --help)", argv[1]), kBadUsage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return complain(fmt::format("{} (see --help)", error.what()), kBadUsage);
  }

  if (app.got_subcommand("ask")) return run_ask(ask);
  if (app.got_subcommand("plan")) {
    if (plan.json) plan.options.format = "json";
    return plan.parse.empty() ? run_plan(plan.options)
                              : run_plan_parse(plan.parse, plan.options.format);
  }
  if (app.got_subcommand("models")) {
    models.getenv = [](const char* name) -> const char* { return std::getenv(name); };
    return run_models(models);
  }
  if (app.got_subcommand("doctor")) return run_doctor(doctor);
#ifdef HF_ENGINE
  if (app.got_subcommand("engine")) return run_engine_command(engine_options);
#endif
  return run_version(version_json);
}

}  // namespace
}  // namespace hf::cli

int main(int argc, char** argv) {
  // A closed pipe or socket is an error of one write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return hf::cli::run(argc, argv);
  } catch (const std::exception& error) {
    return hf::cli::complain(fmt::format("internal fault: {}", error.what()), hf::cli::kFailed);
  }
}
