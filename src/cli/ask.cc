#include "cli/ask.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "cli/environment.h"
#include "cli/live_view.h"
#include "net/event_loop.h"
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

Result<std::string> read_all(std::istream& input, std::string_view what) {
  // One byte more than allowed tells that it is too much.
  std::string text;
  std::array<char, 16'384> buffer{};
  while (text.size() <= kQuestionBytesMax &&
         (input.read(buffer.data(), buffer.size()), input.gcount() > 0)) {
    text.append(buffer.data(), static_cast<std::size_t>(input.gcount()));
  }
  if (input.bad()) return fail(Code::kInvalidInput, fmt::format("Reading {} failed.", what));
  return text;
}

// The stricter of what the configuration allows and what the caller wants.
template <class Limit>
void lower(std::optional<Limit>& limit, Limit wanted, bool may_raise, std::string_view what) {
  if (limit && wanted > *limit && !may_raise) {
    fmt::print(stderr, "hybridflow: the {} stays at the configuration's limit, which is lower.\n",
               what);
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
    std::int64_t count = -1;
    const char* end = options.budget_tokens.data() + options.budget_tokens.size();
    const auto [stopped, error] = std::from_chars(options.budget_tokens.data(), end, count);
    if (error != std::errc() || stopped != end || count < 0) {
      return fail(Code::kInvalidInput,
                  fmt::format("'{}' is not a number of tokens; write for example 4096.",
                              options.budget_tokens));
    }
    lower(budget.cloud_tokens, Tokens(count), may_raise, "token budget");
  }
  if (!options.deadline.empty()) {
    HF_TRY(const Duration deadline, parse_duration(options.deadline));
    if (deadline <= Duration{})
      return fail(Code::kInvalidInput, "The deadline must be longer than zero.");
    lower(budget.deadline, deadline, may_raise, "deadline");
  }
  return budget;
}

Result<UserQuery> make_query(const AskOptions& options, const Config& config) {
  UserQuery query;
  HF_TRY(query.question, read_question(options.question));
  HF_TRY(query.budget, budget_of(options, config));
  query.seed = options.seed;
  if (options.plan == "auto") {
    query.plan = PlanMode::kAuto;
  } else if (options.plan == "always") {
    query.plan = PlanMode::kAlways;
  } else if (options.plan == "never") {
    query.plan = PlanMode::kNever;
  } else {
    std::ifstream file(options.plan, std::ios::binary);
    if (!file)
      return fail(Code::kInvalidInput,
                  fmt::format("--plan is auto, always, never or a file; '{}' cannot be read.",
                              options.plan));
    HF_TRY(const std::string text, read_all(file, options.plan));
    HF_TRY(query.given, wire::read_plan(text, options.plan, config.plan_steps_max));
    query.plan = PlanMode::kGiven;
  }
  return query;
}

LiveView::Style choose_style(const AskOptions& options) {
  LiveView::Style style;
  const bool is_terminal = ::isatty(STDERR_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool is_dumb = term == nullptr || std::string_view(term) == "dumb";
  style.colour = is_terminal && !is_dumb && (no_color == nullptr || *no_color == '\0');
  if (options.json) {
    style.display = Display::kSilent;
  } else if (options.verbose || (is_terminal && is_dumb)) {
    style.display = Display::kPlain;
  } else {
    style.display = is_terminal ? Display::kLive : Display::kSilent;
  }
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

// Runs one query to its end. Ctrl-C cancels and settles; a second one ends at once.
Result<Receipt> run_query(const Config& config, UserQuery query, const LiveView::Style& style) {
  HF_TRY(const RuntimeOptions options, runtime_options());
  net::EventLoop loop;
  HF_TRY(const auto runtime, Runtime::create(loop, config, options));
  std::vector<Endpoint> endpoints;
  for (const EndpointConfig& endpoint : config.endpoints) endpoints.push_back(endpoint.endpoint);
  Receipt result;
  LiveView view(loop, std::move(endpoints), style, [&](const Receipt& receipt) {
    result = receipt;
    loop.stop();
  });

  runtime->warm_up();
  const QueryId id = runtime->submit(std::move(query), view);
  bool was_interrupted = false;
  loop.on_signal([&](int) {
    if (was_interrupted) std::_Exit(kInterrupted);
    was_interrupted = true;
    runtime->cancel(id);
  });
  loop.run();
  return result;
}

// What is left to say when the view has shown the rest.
void print_outcome(const AskOptions& options, const Receipt& receipt, Display display) {
  if (options.json) {
    fmt::print("{}\n", wire::to_text(wire::receipt_json(receipt), wire::Layout::kIndented));
  } else if (display == Display::kSilent && !receipt.answer.empty()) {
    fmt::print("{}\n", receipt.answer);
    for (const std::string& reason : receipt.record.degraded)
      fmt::print(stderr, "hybridflow: degraded: {}\n", reason);
  }
  if (!receipt.record.trouble.empty())
    fmt::print(stderr, "hybridflow: {}\n", receipt.record.trouble);
}

Result<Config> read_config(const ConfigOptions& options) {
  const Environment env = process_environment();
  if (options.lab && !options.file.empty())
    return fail(Code::kInvalidInput, "--lab and --config exclude each other.");
  if (options.lab) return lab_config(env);
  if (!options.file.empty()) return load_config(options.file, env);
  HF_TRY(Config config, default_config(env));
  const bool has_cloud = std::ranges::any_of(
      config.endpoints, [](const EndpointConfig& e) { return e.endpoint.tier == Tier::kCloud; });
  if (!has_cloud) {
    fmt::print(stderr,
               "hybridflow: no cloud is configured, so everything runs on the edge model; try "
               "--lab, or --config FILE.\n");
  }
  return config;
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

Result<Config> configure(const ConfigOptions& options) {
  HF_TRY(Config config, read_config(options));
  if (!options.planner.empty()) HF_CHECK(choose_planner(options.planner, config));
  return config;
}

Result<std::string> read_question(const std::string& argument) {
  std::string question = argument;
  if (argument == "-" || (argument.empty() && ::isatty(STDIN_FILENO) == 0)) {
    HF_TRY(question, read_all(std::cin, "standard input"));
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
  auto query = make_query(options, *config);
  if (!query) return complain(query.error().message, kBadUsage);
  const LiveView::Style style = choose_style(options);
  const auto receipt = run_query(*config, *std::move(query), style);
  if (!receipt)
    return complain(receipt.error().message,
                    receipt.error().code == Code::kInvalidInput ? kBadUsage : kFailed);
  print_outcome(options, *receipt, style.display);
  return exit_code_of(receipt->record.outcome.value_or(Outcome::kUnavailable));
}

}  // namespace hf::cli
