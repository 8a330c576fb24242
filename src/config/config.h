// The configuration: one strict TOML file, or the built-in ones, plus the environment.
//
// Strict: an unknown key, a wrong type or a contradiction is an error that names file and line.
// docs/configuration.md lists every key. Keys of services are never in the file: it names the
// environment variable that holds them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "config/history.h"
#include "config/serve.h"
#include "model/budget.h"
#include "model/endpoint.h"
#include "route/router.h"

namespace hf {

// A local model that this program runs itself.
struct EngineConfig {
  std::string model;  // A name of the catalogue or a path to a .gguf.
  std::uint32_t slots = 4;
  std::uint32_t context = 8192;          // KV cells shared by all slots.
  std::optional<std::uint32_t> threads;  // At most this many cores; default: all that are free.
};

// Makes an engine behave like a distant, metered service.
struct LabConfig {
  Duration round_trip{};
  double tokens_per_second = 0;  // 0: as fast as it can.
  double failure_rate = 0;       // 0..1, answered with an error.
  std::string cache;             // Folder of recorded answers; empty: none.
};

struct Timeouts {
  Duration connect = std::chrono::seconds(5);
  Duration first_token = std::chrono::seconds(120);
  Duration gap = std::chrono::seconds(60);
  Duration total = std::chrono::seconds(600);
};

struct EndpointConfig {
  Endpoint endpoint;
  std::string url;          // Base, up to and including "/v1"; empty for an engine.
  std::string model;        // As the endpoint calls it.
  std::string api_key;      // From the environment; a secret: never print it.
  std::string api_key_env;  // The variable it came from; empty if none is needed.
  std::optional<EngineConfig> engine;
  std::optional<LabConfig> lab;
  Timeouts timeouts;
  bool asks_logprobs = false;    // Asks for log-probabilities; engines send their sums unasked.
  bool accepts_grammar = false;  // Takes the `grammar` extension (engines and llama-server do).
  std::optional<double> temperature;  // Of answers; absent: 0.
};

// A budget that outlives the program and may be shared by several: kept in a store (store/).
struct ScopeConfig {
  std::string name;
  std::optional<std::string> parent;  // One of those before it.
  Budget limits;
};

struct LedgerConfig {
  std::string path;   // Of the store; empty: in the user's state folder.
  std::string scope;  // What the queries of this program spend from.
  std::vector<ScopeConfig> scopes;
};

struct Config {
  std::vector<EndpointConfig> endpoints;  // Index is EndpointId.
  EndpointId planner{};
  std::uint32_t plan_steps_max = 7;
  Tokens plan_tokens_max{600};
  Tokens subtask_tokens_max{256};
  Tokens answer_tokens_max{512};
  Budget query_budget;
  Budget process_budget;
  std::optional<LedgerConfig> ledger;
  std::string policy = "hybridflow";
  PolicyOptions policy_options;
  std::string weights = "shipped";  // Of the router: "shipped", "none" (set by hand) or a file.
  HistoryConfig history;
  ServeConfig serve;
  std::uint32_t attempts_max = 2;  // Per endpoint and call.
  bool hedge = true;               // A late critical call gets a rival at another endpoint.
};

// Value of an environment variable, if set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

// Reads a configuration. `name` is what errors call it: "hybridflow.toml:12:3: …".
Result<Config> read_config(std::string_view toml, std::string_view name, const Environment& env);
Result<Config> load_config(const std::string& path, const Environment& env);

// Without a file: the embedded edge model alone, with a cloud added when OPENAI_API_KEY is set
// (OPENAI_BASE_URL and OPENAI_MODEL are honoured), or the lab with its stand-in cloud.
Result<Config> default_config(const Environment& env);
Result<Config> lab_config(const Environment& env);

// "250ms", "20s", "1.5s", "2m", "1h", "30d".
Result<Duration> parse_duration(std::string_view text);
// Dollars as people write them, exact to a picodollar: "0.01", "1e-3" is refused.
Result<PicoUsd> parse_usd(std::string_view text);

}  // namespace hf
