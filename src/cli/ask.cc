#include "cli/ask.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "base/number.h"
#include "base/utf8.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/live_view.h"
#include "cli/output.h"
#include "cli/version.h"
#include "eval/text_file.h"
#include "net/event_loop.h"
#include "runtime/recorder.h"
#include "runtime/runtime.h"
#include "wire/plan_json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

constexpr std::size_t kQuestionBytesMax = 128 * 1024;

int exit_code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAnswered:
    case Outcome::kDegraded:
      return kAnswered;
    case Outcome::kRefused:
      return kRefused;
    case Outcome::kDeadline:
      return kDeadline;
    case Outcome::kUnavailable:
      return kUnavailable;
    case Outcome::kCancelled:
      return kInterrupted;
  }
  return kFailed;
}

// All of the file; refuses what is longer than a question may be.
Result<std::string> read_all(int file, std::string_view what) {
  std::string text;
  std::array<char, 16'384> piece{};
  while (true) {
    const ssize_t size = ::read(file, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return fail(Code::kInvalidInput,
                  fmt::format("{} cannot be read: {}.", what, std::strerror(errno)));
    }
    if (size == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > kQuestionBytesMax) {
      return fail(Code::kInvalidInput,
                  fmt::format("{} is longer than {} bytes; shorten it.", what, kQuestionBytesMax));
    }
  }
}

// The stricter of what the configuration allows and what the caller wants.
template <class Limit>
void lower(std::optional<Limit>& limit, Limit wanted, bool may_raise, std::string_view what) {
  if (limit && wanted > *limit && !may_raise) {
    complain(fmt::format("the {} stays at the configuration's limit, which is lower.", what), 0);
    return;
  }
  limit = wanted;
}

Result<Budget> budget_of(const AskOptions& options, const Config& config) {
  Budget budget = config.query_budget;
  const bool may_raise = options.config.file.empty();
  if (!options.budget_usd.empty()) {
    HF_TRY(const PicoUsd usd, parse_usd(options.budget_usd));
    lower(budget.usd, usd, may_raise, "dollar budget");
  }
  if (!options.budget_tokens.empty()) {
    const auto count = parse_number<std::int64_t>(options.budget_tokens);
    if (!count || *count < 0) {
      return fail(Code::kInvalidInput,
                  fmt::format("'{}' is not a number of tokens; write for example 4096.",
                              options.budget_tokens));
    }
    lower(budget.cloud_tokens, Tokens(*count), may_raise, "token budget");
  }
  if (!options.deadline.empty()) {
    HF_TRY(const Duration deadline, parse_duration(options.deadline));
    if (deadline <= Duration{})
      return fail(Code::kInvalidInput, "The deadline must be longer than zero.");
    lower(budget.deadline, deadline, may_raise, "deadline");
  }
  return budget;
}

Result<void> choose_scope(const std::string& name, Config& config) {
  if (name.empty()) return {};
  const bool is_known =
      config.ledger && std::ranges::find(config.ledger->scopes, name, &ScopeConfig::name) !=
                           config.ledger->scopes.end();
  if (!is_known) {
    return fail(Code::kInvalidInput,
                fmt::format("--scope: the configuration has no scope '{}' in [ledger].", name));
  }
  config.ledger->scope = name;
  return {};
}

Result<UserQuery> make_query(const AskOptions& options, const Config& config) {
  UserQuery query;
  HF_TRY(query.question, read_question(options.question));
  HF_TRY(query.budget, budget_of(options, config));
  query.seed = options.seed;
  query.local_only = options.local;
  if (options.plan == "auto") {
    query.plan = PlanMode::kAuto;
  } else if (options.plan == "always") {
    query.plan = PlanMode::kAlways;
  } else if (options.plan == "never") {
    query.plan = PlanMode::kNever;
  } else {
    const int file = ::open(options.plan.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
      return fail(Code::kInvalidInput,
                  fmt::format("--plan is auto, always, never or a file; '{}' cannot be read: {}.",
                              options.plan, std::strerror(errno)));
    const auto text = read_all(file, fmt::format("The plan '{}'", options.plan));
    ::close(file);
    if (!text) return std::unexpected(text.error());
    HF_TRY(query.given, wire::read_plan(*text, options.plan, config.plan_steps_max));
    query.plan = PlanMode::kGiven;
  }
  return query;
}

LiveView::Style choose_style(const AskOptions& options) {
  LiveView::Style style;
  const bool is_seen = is_terminal(stderr) && is_terminal(stdout);
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool is_dumb = term == nullptr || std::string_view(term) == "dumb";
  style.colour = is_seen && !is_dumb && (no_color == nullptr || *no_color == '\0');
  if (options.json) {
    style.display = Display::kSilent;
  } else if (options.verbose || (is_seen && is_dumb)) {
    style.display = Display::kPlain;
  } else {
    style.display = is_seen ? Display::kLive : Display::kSilent;
  }
  return style;
}

// Runs one query to its end. Ctrl-C cancels and settles; a second one ends at once.
Result<Receipt> run_query(const ConfigOptions& asked, const Config& config, UserQuery query,
                          const LiveView::Style& style, const RouterModel& model,
                          Recorder* recorder) {
  HF_TRY(RuntimeOptions options, runtime_options());
  options.recorder = recorder;
  options.model = model;
  net::EventLoop loop;
  // Before anything is begun that would have to be settled; the loop runs it when all is set up.
  std::move_only_function<void()> cancel;
  bool was_interrupted = false;
  loop.on_signal([&](int) {
    if (was_interrupted) std::_Exit(kInterrupted);
    was_interrupted = true;
    cancel();
  });
  HF_TRY(const auto runtime, Runtime::create(loop, config, options));
  say_without_cloud(asked, config);
  std::vector<Endpoint> endpoints;
  for (const EndpointConfig& endpoint : config.endpoints) endpoints.push_back(endpoint.endpoint);
  Receipt result;
  LiveView view(loop, std::move(endpoints), style, [&](const Receipt& receipt) {
    result = receipt;
    loop.stop();
  });

  runtime->warm_up();
  const QueryId id = runtime->submit(std::move(query), view);
  cancel = [&runtime, id] { runtime->cancel(id); };
  loop.run();
  return result;
}

// Whether only local engines could have answered and they never will: a model that cannot be
// loaded, a prompt that is longer than its memory. That is for the configuration to mend, not for
// time.
bool is_hopeless(const Config& config, const Receipt& receipt) {
  const auto& calls = receipt.record.calls;
  return receipt.record.outcome == Outcome::kUnavailable && !calls.empty() &&
         calls.back().failure == Failure::kRejected &&
         std::ranges::all_of(config.endpoints,
                             [](const EndpointConfig& e) { return e.engine.has_value(); });
}

// What is left to say when the view has shown the rest.
void print_outcome(const AskOptions& options, const Receipt& receipt, Display display) {
  if (options.json) {
    print_json(wire::receipt_json(receipt));
  } else if (display == Display::kSilent && !receipt.answer.empty()) {
    show(stdout, receipt.answer + "\n");
    for (const std::string& reason : receipt.record.degraded) complain("degraded: " + reason, 0);
  }
  if (!receipt.record.trouble.empty()) complain(receipt.record.trouble, 0);
}

Result<Config> read_config(const ConfigOptions& options) {
  const Environment env = process_environment();
  if (options.lab && !options.file.empty())
    return fail(Code::kInvalidInput, "--lab and --config exclude each other.");
  if (!options.file.empty()) return load_config(options.file, env);
  if (!kHasEngine) {
    return fail(Code::kInvalidInput,
                "This build has no local engine, so it needs endpoints from a configuration file: "
                "--config FILE (docs/configuration.md).");
  }
  if (options.lab) return lab_config(env);
  return default_config(env);
}

Result<void> choose_planner(const std::string& name, Config& config) {
  std::vector<std::string> names;
  for (const EndpointConfig& endpoint : config.endpoints) names.push_back(endpoint.endpoint.name);
  const auto chosen = std::ranges::find(names, name);
  if (chosen == names.end()) {
    return fail(Code::kInvalidInput, fmt::format("--planner: there is no endpoint '{}', only {}.",
                                                 name, fmt::join(names, ", ")));
  }
  config.planner = EndpointId(static_cast<std::uint32_t>(chosen - names.begin()));
  return {};
}

}  // namespace

void say_without_cloud(const ConfigOptions& options, const Config& config) {
  const auto has = [&](Tier tier) {
    return std::ranges::any_of(config.endpoints,
                               [&](const EndpointConfig& e) { return e.endpoint.tier == tier; });
  };
  if (config.policy == "cloud" && !has(Tier::kCloud))
    return void(complain("no cloud endpoint is configured, so all of it runs on the edge.", 0));
  if (config.policy == "edge" && !has(Tier::kEdge))
    return void(complain("no edge endpoint is configured, so all of it goes to the cloud.", 0));
  if (has(Tier::kCloud) || !options.file.empty()) return;
  complain(
      "no cloud is configured, so everything runs on the edge model; try --lab, or --config "
      "FILE.",
      0);
}

Result<Config> configure(const ConfigOptions& options) {
  HF_TRY(Config config, read_config(options));
  if (!options.planner.empty()) HF_CHECK(choose_planner(options.planner, config));
  return config;
}

Result<std::string> read_question(const std::string& argument) {
  std::string question = argument;
  if (argument == "-" || (argument.empty() && ::isatty(STDIN_FILENO) == 0)) {
    HF_TRY(question, read_all(STDIN_FILENO, "Standard input"));
  }
  if (question.size() > kQuestionBytesMax) {
    return fail(
        Code::kInvalidInput,
        fmt::format("The question is longer than {} bytes; shorten it.", kQuestionBytesMax));
  }
  if (!is_utf8(question)) return fail(Code::kInvalidInput, "The question is not valid UTF-8.");
  if (question.find_first_not_of(" \t\r\n") == std::string::npos) {
    return fail(Code::kInvalidInput,
                "The question is empty; write it behind 'ask', or pass - and pipe it in.");
  }
  return question;
}

int run_ask(const AskOptions& options) {
  auto config = configure(options.config);
  if (!config) return complain(config.error().message, kBadUsage);
  if (!options.policy.empty()) config->policy = options.policy;
  if (const auto chosen = choose_scope(options.scope, *config); !chosen)
    return complain(chosen.error().message, kBadUsage);
  auto query = make_query(options, *config);
  if (!query) return complain(query.error().message, kBadUsage);
  auto loaded = load_router_model(config->weights);
  if (!loaded) return complain(loaded.error().message, kBadUsage);
  const RouterModel model = with_learned(*std::move(loaded), config->history);
  const std::string question = query->question;
  const LiveView::Style style = choose_style(options);
  std::unique_ptr<Recorder> recorder;
  if (!options.record.empty()) {
    if (eval::names_same_file(options.record, options.config.file))
      return complain("--record would replace the configuration.", kBadUsage);
    auto created = Recorder::create(options.record, HF_VERSION);
    if (!created) return complain(created.error().message, kBadUsage);
    recorder = *std::move(created);
  }
  const auto receipt =
      run_query(options.config, *config, *std::move(query), style, model, recorder.get());
  if (recorder) {
    recorder->finish();
    if (!recorder->trouble().empty()) complain(recorder->trouble(), kFailed);
  }
  if (!receipt)
    return complain(receipt.error().message,
                    receipt.error().code == Code::kInvalidInput ? kBadUsage : kFailed);
  print_outcome(options, *receipt, style.display);
  std::fflush(stdout);
  keep_run(config->history, model.digest, question, *receipt);
  if (is_hopeless(*config, *receipt)) return kBadUsage;
  return exit_code_of(receipt->record.outcome.value_or(Outcome::kUnavailable));
}

}  // namespace hf::cli
