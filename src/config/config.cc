#include "config/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <utility>

namespace hf {
namespace {

// Reads one table, knows its place in the file, and refuses what nobody asked for.
class Table {
 public:
  Table(const toml::table& table, std::string_view file, std::string name)
      : table_(table), file_(file), name_(std::move(name)) {}

  [[nodiscard]] std::unexpected<Error> error(const toml::node& where, std::string_view what) const {
    const auto& begin = where.source().begin;
    return fail(Code::kInvalidInput,
                fmt::format("{}:{}:{}: {}", file_, begin.line, begin.column, what));
  }
  [[nodiscard]] std::unexpected<Error> error(std::string_view what) const {
    return error(table_, what);
  }
  [[nodiscard]] std::unexpected<Error> bad(const toml::node& node, std::string_view key,
                                           std::string_view must_be) const {
    return error(node, fmt::format("'{}' must be {}.", path(key), must_be));
  }
  [[nodiscard]] std::string path(std::string_view key) const {
    return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
  }
  [[nodiscard]] const toml::node* get(std::string_view key) const { return table_.get(key); }

  [[nodiscard]] Result<void> allow(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(keys, key.str()) != keys.end()) continue;
      if (key.str() == "api_key") {
        return error(node,
                     "a key must not be in the file; put it in an environment variable and "
                     "name that with api_key_env.");
      }
      return error(node, fmt::format("unknown key '{}'; known here: {}.", path(key.str()),
                                     fmt::join(keys, ", ")));
    }
    return {};
  }

  [[nodiscard]] Result<std::optional<std::string>> text(std::string_view key) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_string()) return bad(*node, key, "a string");
    return node->value<std::string>();
  }
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t low,
                                                            std::int64_t high) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
    if (!value || *value < low || *value > high) {
      return bad(*node, key, fmt::format("a whole number from {} to {}", low, high));
    }
    return value;
  }
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key, double low,
                                                     double high) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value || !(*value >= low && *value <= high)) {
      return bad(*node, key, fmt::format("a number from {} to {}", low, high));
    }
    return value;
  }
  [[nodiscard]] Result<std::optional<Duration>> duration(std::string_view key) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_string()) return bad(*node, key, "a duration such as \"20s\"");
    auto parsed = parse_duration(*node->value<std::string>());
    if (!parsed) return bad(*node, key, "a duration such as \"250ms\", \"20s\" or \"2m\"");
    return *parsed;
  }
  [[nodiscard]] Result<std::optional<bool>> flag(std::string_view key) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_boolean()) return bad(*node, key, "true or false");
    return node->value<bool>();
  }
  [[nodiscard]] Result<std::optional<Table>> table(std::string_view key) const {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_table()) return bad(*node, key, "a table");
    return Table(*node->as_table(), file_, path(key));
  }

 private:
  const toml::table& table_;
  std::string_view file_;
  std::string name_;
};

// Dollars in the file are doubles; a picodollar is far below their precision at sane prices, so
// rounding to it gives back what was written.
std::int64_t pico(double usd) {
  return std::llround(usd * static_cast<double>(kPicoPerUsd));
}

Result<Price> read_price(const Table& table) {
  HF_CHECK(table.allow({"prompt", "cached", "completion"}));
  // Dollars per million tokens; a million dollars per million is beyond any list.
  HF_TRY(const auto prompt, table.number("prompt", 0, 1e5));
  HF_TRY(const auto cached, table.number("cached", 0, 1e5));
  HF_TRY(const auto completion, table.number("completion", 0, 1e5));
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
  if (!url->starts_with("http://") && !url->starts_with("https://")) {
    return table.bad(*table.get("url"), "url", "an address that starts with http:// or https://");
  }
  config.url = url->ends_with('/') ? url->substr(0, url->size() - 1) : *url;
  config.model = *model;
  if (key_env) {
    config.api_key_env = *key_env;
    const auto key = env(*key_env);
    if (!key || key->empty()) {
      return table.error(
          *table.get("api_key_env"),
          fmt::format("the environment variable {} is not set; endpoint '{}' needs its key there.",
                      *key_env, config.endpoint.name));
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
  HF_TRY(config.temperature, table.number("temperature", 0, 2));
  HF_TRY(const auto timeouts, table.table("timeouts"));
  if (timeouts) {
    HF_TRY(config.timeouts, read_timeouts(*timeouts));
  }
  return {};
}

Result<EndpointConfig> read_endpoint(const Table& table, const Environment& env) {
  HF_CHECK(table.allow({"name", "tier", "engine", "lab", "url", "model", "api_key_env", "price",
                        "max_in_flight", "grammar", "temperature", "timeouts"}));
  EndpointConfig config;
  HF_TRY(const auto name, table.text("name"));
  if (!name || name->empty()) return table.error("an endpoint needs a 'name'.");
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
    return table.bad(*table.get("deadline"), "deadline", "longer than zero");
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
        return table->error(*table->get("endpoint"),
                            fmt::format("there is no endpoint named '{}'.", *endpoint));
    }
    HF_TRY(const auto steps, table->integer("max_steps", 2, 32));
    HF_TRY(const auto tokens, table->integer("max_tokens", 64, 8192));
    config.plan_steps_max = static_cast<std::uint32_t>(steps.value_or(config.plan_steps_max));
    config.plan_tokens_max = Tokens(tokens.value_or(config.plan_tokens_max.count()));
  }
  config.planner = EndpointId(static_cast<std::uint32_t>(chosen - config.endpoints.begin()));
  return {};
}

Result<void> read_route(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("route"));
  if (!table) return {};
  HF_CHECK(table->allow({"policy", "cloud_share", "threshold", "difficulty"}));
  HF_TRY(const auto policy, table->text("policy"));
  if (policy) {
    if (std::ranges::find(policy_names(), *policy) == policy_names().end()) {
      return table->error(
          *table->get("policy"),
          fmt::format("unknown policy '{}'; known: {}.", *policy, fmt::join(policy_names(), ", ")));
    }
    config.policy = *policy;
  }
  PolicyOptions& options = config.policy_options;
  HF_TRY(const auto share, table->number("cloud_share", 0, 1));
  HF_TRY(const auto threshold, table->number("threshold", -1, 1));
  HF_TRY(const auto difficulty, table->integer("difficulty", 1, 9));
  options.cloud_share = share.value_or(options.cloud_share);
  options.threshold = threshold.value_or(options.threshold);
  options.difficulty = static_cast<std::uint8_t>(difficulty.value_or(options.difficulty));
  return {};
}

Result<void> read_answers(const Table& root, Config& config) {
  HF_TRY(const auto table, root.table("limits"));
  if (!table) return {};
  HF_CHECK(table->allow({"subtask_tokens", "answer_tokens", "attempts"}));
  HF_TRY(const auto subtask, table->integer("subtask_tokens", 16, 65'536));
  HF_TRY(const auto answer, table->integer("answer_tokens", 16, 65'536));
  HF_TRY(const auto attempts, table->integer("attempts", 1, 10));
  config.subtask_tokens_max = Tokens(subtask.value_or(config.subtask_tokens_max.count()));
  config.answer_tokens_max = Tokens(answer.value_or(config.answer_tokens_max.count()));
  config.attempts_max = static_cast<std::uint32_t>(attempts.value_or(config.attempts_max));
  return {};
}

Result<void> read_endpoints(const toml::table& document, const Table& root, std::string_view file,
                            const Environment& env, Config& config) {
  const toml::node* node = document.get("endpoint");
  if (node == nullptr) return root.error("at least one [[endpoint]] is needed.");
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty())
    return root.bad(*node, "endpoint", "an array of tables: write [[endpoint]]");
  for (const toml::node& entry : *array) {
    if (!entry.is_table()) return root.bad(entry, "endpoint", "a table");
    const Table table(*entry.as_table(), file, "endpoint");
    HF_TRY(EndpointConfig endpoint, read_endpoint(table, env));
    for (const EndpointConfig& other : config.endpoints) {
      if (other.endpoint.name == endpoint.endpoint.name)
        return table.error(fmt::format("two endpoints are named '{}'.", endpoint.endpoint.name));
    }
    config.endpoints.push_back(std::move(endpoint));
  }
  if (config.endpoints.size() > 64) return root.error("at most 64 endpoints are supported.");
  return {};
}

}  // namespace

Result<Config> read_config(std::string_view toml, std::string_view name, const Environment& env) {
  toml::table document;
  try {
    document = toml::parse(toml, name);
  } catch (const toml::parse_error& parse_error) {
    const auto& begin = parse_error.source().begin;
    return fail(Code::kInvalidInput, fmt::format("{}:{}:{}: {}", name, begin.line, begin.column,
                                                 parse_error.description()));
  }
  const Table root(document, name, "");
  Config config;
  HF_CHECK(root.allow({"endpoint", "planner", "budget", "route", "limits"}));
  HF_CHECK(read_endpoints(document, root, name, env, config));
  HF_CHECK(read_planner(root, config));
  HF_CHECK(read_budgets(root, config));
  HF_CHECK(read_route(root, config));
  HF_CHECK(read_answers(root, config));
  return config;
}

Result<Config> load_config(const std::string& path, const Environment& env) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(Code::kInvalidInput,
                fmt::format("The configuration file '{}' cannot be read; check the path.", path));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad())
    return fail(Code::kInvalidInput,
                fmt::format("Reading the configuration file '{}' failed.", path));
  return read_config(text, path, env);
}

}  // namespace hf
