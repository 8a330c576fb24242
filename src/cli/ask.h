// `hybridflow ask`: one question, answered; and `hybridflow plan`: only its plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "config/config.h"

namespace hf::cli {

// Exit codes of the program.
inline constexpr int kAnswered = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 2;
inline constexpr int kRefused = 3;
inline constexpr int kDeadline = 4;
inline constexpr int kUnavailable = 5;
inline constexpr int kInterrupted = 130;

// Where the endpoints come from. Neither: the built-in edge model and the environment.
struct ConfigOptions {
  std::string file;
  bool lab = false;
  std::string planner;  // Name of the endpoint that plans; empty: as configured.
};

struct AskOptions {
  ConfigOptions config;
  std::string question;  // "-": standard input.
  std::string policy;    // Empty: as configured.
  std::string plan = "auto";
  std::string budget_usd;  // As typed; empty: as configured.
  std::string budget_tokens;
  std::string deadline;
  std::uint64_t seed = 0;
  bool local = false;  // Nothing may leave for the cloud.
  std::string scope;   // Durable budget to spend from; empty: as configured.
  std::string record;  // File for the event log; empty: none.
  bool json = false;
  bool verbose = false;
};

struct PlanOptions {
  ConfigOptions config;
  std::string question;
  std::string parse;            // File with plan markup, or "-", instead of a question.
  std::string format = "text";  // text, json, dot, svg
};

int run_ask(const AskOptions& options);
int run_plan(const PlanOptions& options);

// Says on standard error that nothing but the built-in edge model is used, if that is so. To be
// called when nothing can be refused any more, so that a refusal stands alone.
void say_without_cloud(const ConfigOptions& options, const Config& config);

// Reads the configuration.
Result<Config> configure(const ConfigOptions& options);

// The text itself, or all of standard input for "-". Refuses what is empty, too long or not UTF-8.
Result<std::string> read_question(const std::string& argument);

}  // namespace hf::cli
