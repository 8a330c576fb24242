#include "config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "config/address.h"
#include "config/table.h"
#include "plan/prompts.h"

namespace hf {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;

// Dollars in the file are doubles; a picodollar is far below their precision at sane prices, so
// rounding to it gives back what was written.
std::int64_t pico(double usd) {
  return std::llround(usd * static_cast<double>(kPicoPerUsd));
}

Result<Price> read_price(const Table& table) {
  HF_CHECK(table.allow({"prompt", "cached", "completion"}));
  // Dollars per million tokens: beyond any list, and no product of tokens and price overflows.
  HF_TRY(const auto prompt, table.number("prompt", 0, 1e3));
  HF_TRY(const auto cached, table.number("cached", 0, 1e3));
  HF_TRY(const auto completion, table.number("completion", 0, 1e3));
  if (!prompt || !completion)
    return table.error("a price needs 'prompt' and 'completion', in dollars per million tokens.");
  const auto per_token = [](double per_million) { return PicoUsd(pico(per_million / 1e6)); };
  const Price price{.prompt = per_token(*prompt),
                    .cached = per_token(cached.value_or(*prompt)),
                    .completion = per_token(*completion)};
  if (price.cached > price.prompt) return table.error("'cached' must not cost more than 'prompt'.");
  return price;
}

Result<EngineConfig> read_engine(const Table& table) {
  HF_CHECK(table.allow({"model", "slots", "context", "threads"}));
  EngineConfig engine;
  HF_TRY(const auto model, table.text("model"));
  if (!model || model->empty())
    return table.error(
        "an engine needs a 'model': a name that `hybridflow models list` shows, or the path of a "
        ".gguf.");
  engine.model = *model;
  HF_TRY(const auto slots, table.integer("slots", 1, 64));
  HF_TRY(const auto context, table.integer("context", 256, 1'048'576));
  HF_TRY(const auto threads, table.integer("threads", 1, 1024));
  engine.slots = static_cast<std::uint32_t>(slots.value_or(engine.slots));
  engine.context = static_cast<std::uint32_t>(context.value_or(engine.context));
  if (threads) engine.threads = static_cast<std::uint32_t>(*threads);
  return engine;
}

Result<LabConfig> read_lab(const Table& table) {
  HF_CHECK(table.allow({"round_trip", "tokens_per_second", "failure_rate", "cache"}));
  LabConfig lab;
  HF_TRY(const auto round_trip, table.duration("round_trip"));
  HF_TRY(const auto rate, table.number("tokens_per_second", 0, 1e6));
  HF_TRY(const auto failure, table.number("failure_rate", 0, 1));
  HF_TRY(const auto cache, table.text("cache"));
  lab.round_trip = round_trip.value_or(Duration{});
  lab.tokens_per_second = rate.value_or(0);
  lab.failure_rate = failure.value_or(0);
  lab.cache = cache.value_or("");
  return lab;
}

Result<Timeouts> read_timeouts(const Table& table) {
  HF_CHECK(table.allow({"connect", "first_token", "gap", "total"}));
  Timeouts timeouts;
  HF_TRY(const auto connect, table.duration("connect"));
  HF_TRY(const auto first_token, table.duration("first_token"));
  HF_TRY(const auto gap, table.duration("gap"));
  HF_TRY(const auto total, table.duration("total"));
  for (const auto& each : {connect, first_token, gap, total}) {
    if (each && *each <= Duration{}) return table.error("a timeout must be longer than zero.");
  }
  timeouts.connect = connect.value_or(timeouts.connect);
  timeouts.first_token = first_token.value_or(timeouts.first_token);
  timeouts.gap = gap.value_or(timeouts.gap);
  timeouts.total = total.value_or(timeouts.total);
  return timeouts;
}

Result<void> read_address(const Table& table, EndpointConfig& config, const Environment& env) {
  HF_TRY(const auto url, table.text("url"));
  HF_TRY(const auto model, table.text("model"));
  HF_TRY(const auto key_env, table.text("api_key_env"));
  if (config.engine) {
    if (url || model || key_env) {
      return table.error(
          "an endpoint has either an 'engine' (a local model) or 'url', 'model' and 'api_key_env', "
          "not both.");
    }
    config.model = config.engine->model;
    return {};
  }
  if (!url || !model)
    return table.error(
        "an endpoint needs either 'engine' (a local model) or both 'url' and 'model'.");
  if (const auto fault = fault_of_url(*url)) return table.bad("url", *fault);
  config.url = url->ends_with('/') ? url->substr(0, url->size() - 1) : *url;
  config.model = *model;
  if (key_env) {
    config.api_key_env = *key_env;
    const auto key = env(*key_env);
    if (!key || key->empty()) {
      return table.error_at(
          "api_key_env",
          fmt::format("the environment variable {} is not set; endpoint '{}' needs its key there.",
                      *key_env, config.endpoint.name));
    }
    if (!is_key(*key)) {
      return table.error_at(
          "api_key_env",
          fmt::format("the environment variable {} has a line break or another character in it "
                      "that no key has; set it again.",
                      *key_env));
    }
    config.api_key = *key;
  }
  return {};
}

Result<void> read_limits(const Table& table, EndpointConfig& config) {
  HF_TRY(const auto in_flight, table.integer("max_in_flight", 1, 10'000));
  const std::uint32_t otherwise = config.engine ? config.engine->slots : 16;
  config.endpoint.max_in_flight = static_cast<std::uint32_t>(in_flight.value_or(otherwise));
  HF_TRY(const auto grammar, table.flag("grammar"));
  config.accepts_grammar = grammar.value_or(config.engine.has_value());
  HF_TRY(const auto logprobs, table.flag("logprobs"));
  config.asks_logprobs = logprobs.value_or(false);
  HF_TRY(config.temperature, table.number("temperature", 0, 2));
  HF_TRY(const auto timeouts, table.table("timeouts"));
  if (timeouts) {
    HF_TRY(config.timeouts, read_timeouts(*timeouts));
  }
  return {};
}

Result<EndpointConfig> read_endpoint(const Table& table, const Environment& env) {
  HF_CHECK(
      table.allow({"name", "tier", "engine", "lab", "url", "model", "api_key_env", "price",
                   "max_in_flight", "grammar", "logprobs", "temperature", "timeouts", "locality"}));
  EndpointConfig config;
  HF_TRY(const auto name, table.text("name"));
  if (!name || name->empty()) return table.error("an endpoint needs a 'name'.");
  if (!is_endpoint_name(*name)) {
    return table.bad("name", "1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-'");
  }
  config.endpoint.name = *name;
  HF_TRY(const auto tier, table.text("tier"));
  if (!tier || (*tier != "edge" && *tier != "cloud"))
    return table.error("an endpoint needs a 'tier': \"edge\" or \"cloud\".");
  config.endpoint.tier = *tier == "edge" ? Tier::kEdge : Tier::kCloud;

  HF_TRY(const auto engine, table.table("engine"));
  if (engine) {
    HF_TRY(config.engine, read_engine(*engine));
  }
  HF_TRY(const auto lab, table.table("lab"));
  if (lab) {
    if (!config.engine)
      return lab->error(
          "'lab' makes an engine behave like a distant service; this endpoint has no 'engine'.");
    HF_TRY(config.lab, read_lab(*lab));
    config.endpoint.lab = true;
  }
  HF_TRY(const auto locality, table.text("locality"));
  if (locality && *locality != "local" && *locality != "remote")
    return table.bad("locality", "\"local\" or \"remote\"");
  // An address proves nothing: behind one of this machine there may be a way out of it.
  config.endpoint.is_local = locality ? *locality == "local" : config.engine && !config.lab;
  HF_CHECK(read_address(table, config, env));
  HF_TRY(const auto price, table.table("price"));
  if (price) {
    HF_TRY(config.endpoint.price, read_price(*price));
  } else if (config.endpoint.tier == Tier::kCloud) {
    return table.error(
        "a cloud endpoint needs a 'price', in dollars per million tokens; write zeros if it is "
        "free.");
  }
  HF_CHECK(read_limits(table, config));
  return config;
}

Result<Budget> read_budget(const Table& table) {
  Budget budget;
  HF_TRY(const auto usd, table.number("usd", 0, 1e6));
  HF_TRY(const auto tokens, table.integer("cloud_tokens", 0, 1'000'000'000'000));
  HF_TRY(budget.deadline, table.duration("deadline"));
  if (budget.deadline && *budget.deadline <= Duration{})
    return table.bad("deadline", "longer than zero");
  if (usd) budget.usd = PicoUsd(pico(*usd));
  if (tokens) budget.cloud_tokens = Tokens(*tokens);
  return budget;
}

Result<void> read_budgets(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("budget"));
  if (!table) return {};
  HF_CHECK(table->allow({"usd", "cloud_tokens", "deadline", "process"}));
  HF_TRY(config.query_budget, read_budget(*table));
  HF_TRY(const auto process, table->table("process"));
  if (process) {
    HF_CHECK(process->allow({"usd", "cloud_tokens"}));
    HF_TRY(config.process_budget, read_budget(*process));
  }
  return {};
}

Result<void> read_ledger(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("ledger"));
  if (!table) return {};
  HF_CHECK(table->allow({"path", "scope", "scopes"}));
  LedgerConfig ledger;
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(ledger.scopes, name, &ScopeConfig::name) != ledger.scopes.end();
  };
  HF_TRY(const auto scopes, table->tables("scopes"));
  for (const Table& each : scopes) {
    HF_CHECK(each.allow({"name", "parent", "usd", "cloud_tokens"}));
    ScopeConfig scope;
    HF_TRY(const auto name, each.text("name"));
    if (!name || name->empty()) return each.error("a scope needs a 'name'.");
    if (is_known(*name))
      return each.error_at("name", fmt::format("there are two scopes '{}'.", *name));
    scope.name = *name;
    HF_TRY(scope.parent, each.text("parent"));
    if (scope.parent && !is_known(*scope.parent)) {
      return each.error_at("parent",
                           fmt::format("there is no scope '{}' before this one.", *scope.parent));
    }
    HF_TRY(scope.limits, read_budget(each));
    ledger.scopes.push_back(std::move(scope));
  }
  if (ledger.scopes.empty()) return table->error("at least one [[ledger.scopes]] is needed.");
  HF_TRY(const auto path, table->text("path"));
  HF_TRY(const auto scope, table->text("scope"));
  ledger.path = path.value_or("");
  ledger.scope = scope.value_or(ledger.scopes.back().name);
  if (!is_known(ledger.scope))
    return table->error_at("scope", fmt::format("there is no scope '{}'.", ledger.scope));
  if (config.process_budget != Budget{})
    return table->error("'budget.process' and 'ledger' exclude each other.");
  config.ledger = std::move(ledger);
  return {};
}

// An engine whose memory cannot hold the planner's prompt and a plan fails at every question.
Result<void> check_planner_context(const Table& root, const EndpointConfig& planner,
                                   Tokens plan_tokens) {
  constexpr std::size_t kBytesPerToken = 3;  // Of English; most tokenizers need fewer tokens.
  if (!planner.engine) return {};
  std::size_t bytes = 0;
  for (const ChatMessage& message : plan_prompt("", "")) bytes += message.content.size();
  const auto least = static_cast<std::int64_t>(bytes / kBytesPerToken) + plan_tokens.count();
  if (planner.engine->context >= least) return {};
  return root.error_at(
      "endpoint",
      fmt::format("the engine of the planner '{}' has a 'context' of {} tokens; the prompt for a "
                  "plan and the plan need {} at least.",
                  planner.endpoint.name, planner.engine->context, least));
}

Result<void> read_planner(const Table& root, Config& config) {
  const auto by_name = [&](std::string_view name) {
    return std::ranges::find(config.endpoints, name, [](const EndpointConfig& e) {
      return std::string_view(e.endpoint.name);
    });
  };
  const auto edge = std::ranges::find(config.endpoints, Tier::kEdge,
                                      [](const EndpointConfig& e) { return e.endpoint.tier; });
  auto chosen = edge == config.endpoints.end() ? config.endpoints.begin() : edge;

  HF_TRY(const auto table, root.table("planner"));
  if (table) {
    HF_CHECK(table->allow({"endpoint", "max_steps", "max_tokens"}));
    HF_TRY(const auto endpoint, table->text("endpoint"));
    if (endpoint) {
      chosen = by_name(*endpoint);
      if (chosen == config.endpoints.end())
        return table->error_at("endpoint",
                               fmt::format("there is no endpoint named '{}'.", *endpoint));
    }
    HF_TRY(const auto steps, table->integer("max_steps", 2, 32));
    HF_TRY(const auto tokens, table->integer("max_tokens", 64, 8192));
    config.plan_steps_max = static_cast<std::uint32_t>(steps.value_or(config.plan_steps_max));
    config.plan_tokens_max = Tokens(tokens.value_or(config.plan_tokens_max.count()));
  }
  config.planner = EndpointId(static_cast<std::uint32_t>(chosen - config.endpoints.begin()));
  return check_planner_context(root, *chosen, config.plan_tokens_max);
}

Result<void> read_route(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("route"));
  if (!table) return {};
  HF_CHECK(table->allow({"policy", "weights", "cloud_share", "threshold", "rise", "difficulty",
                         "second_price", "explore"}));
  HF_TRY(const auto policy, table->text("policy"));
  if (policy) {
    if (std::ranges::find(policy_names(), *policy) == policy_names().end()) {
      return table->error_at("policy", fmt::format("unknown policy '{}'; known: {}.", *policy,
                                                   fmt::join(policy_names(), ", ")));
    }
    config.policy = *policy;
  }
  PolicyOptions& options = config.policy_options;
  HF_TRY(const auto share, table->number("cloud_share", 0, 1));
  HF_TRY(const auto threshold, table->number("threshold", -1, 1));
  HF_TRY(const auto difficulty, table->integer("difficulty", 1, 9));
  options.cloud_share = share.value_or(options.cloud_share);
  options.threshold = threshold.value_or(options.threshold);
  HF_TRY(const auto rise, table->number("rise", 0, 1000));
  HF_TRY(const auto second_price, table->number("second_price", 0, 1000));
  HF_TRY(const auto explore, table->number("explore", 0, 0.5));
  HF_TRY(const auto weights, table->text("weights"));
  options.difficulty = static_cast<std::uint8_t>(difficulty.value_or(options.difficulty));
  options.rise = rise.value_or(options.rise);
  options.spar.second_price = second_price.value_or(options.spar.second_price);
  options.spar.explore = explore.value_or(options.spar.explore);
  config.weights = weights.value_or(config.weights);
  return {};
}

Result<void> read_answers(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("limits"));
  if (!table) return {};
  HF_CHECK(table->allow({"subtask_tokens", "answer_tokens", "attempts", "hedge"}));
  HF_TRY(const auto subtask, table->integer("subtask_tokens", 16, 65'536));
  HF_TRY(const auto answer, table->integer("answer_tokens", 16, 65'536));
  HF_TRY(const auto attempts, table->integer("attempts", 1, 10));
  config.subtask_tokens_max = Tokens(subtask.value_or(config.subtask_tokens_max.count()));
  config.answer_tokens_max = Tokens(answer.value_or(config.answer_tokens_max.count()));
  config.attempts_max = static_cast<std::uint32_t>(attempts.value_or(config.attempts_max));
  HF_TRY(const auto hedge, table->flag("hedge"));
  config.hedge = hedge.value_or(config.hedge);
  return {};
}

Result<void> read_endpoints(const Table& root, const Environment& env, Config& config) {
  HF_TRY(const auto tables, root.tables("endpoint"));
  if (tables.empty()) return root.error_at("endpoint", "at least one [[endpoint]] is needed.");
  for (const Table& table : tables) {
    HF_TRY(EndpointConfig endpoint, read_endpoint(table, env));
    for (const EndpointConfig& other : config.endpoints) {
      if (other.endpoint.name == endpoint.endpoint.name)
        return table.error_at("name",
                              fmt::format("two endpoints are named '{}'.", endpoint.endpoint.name));
    }
    config.endpoints.push_back(std::move(endpoint));
  }
  if (config.endpoints.size() > 64) return root.error("at most 64 endpoints are supported.");
  return {};
}

}  // namespace

Result<Config> read_config(std::string_view toml, std::string_view name, const Environment& env) {
  HF_TRY(const Table root, Table::parse(toml, name));
  Config config;
  HF_CHECK(root.allow(
      {"endpoint", "planner", "budget", "ledger", "route", "limits", "history", "serve"}));
  HF_CHECK(read_endpoints(root, env, config));
  HF_CHECK(read_planner(root, config));
  HF_CHECK(read_budgets(root, config));
  HF_CHECK(read_ledger(root, config));
  HF_CHECK(read_route(root, config));
  HF_CHECK(read_answers(root, config));
  HF_TRY(config.history, read_history(root));
  HF_TRY(config.serve, read_serve(root));
  return config;
}

Result<Config> load_config(const std::string& path, const Environment& env) {
  const auto wrong = [&path](std::string_view what) {
    return fail(Code::kInvalidInput, fmt::format("The configuration file '{}' {}.", path, what));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return wrong("is a folder; name a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong("cannot be read; check the path");
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad()) return wrong("could not be read to its end");
  if (text.size() > kFileBytesMax)
    return wrong(fmt::format("is longer than {} bytes", kFileBytesMax));
  return read_config(text, path, env);
}

}  // namespace hf
