// What became of one subtask on each endpoint that tried it: the common currency of routing data.
// Recorded third-party results, profiling runs and production logs all come in this form; as text
// it is one line of JSON (wire/outcome_lines.h, docs/outcomes.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/endpoint.h"
#include "model/signals.h"
#include "model/subtask.h"

namespace hf {

struct ArmOutcome {
  std::string endpoint;
  Tier tier = Tier::kEdge;
  double correct = 0;  // 0 to 1.
  Tokens prompt;
  Tokens completion;
  PicoUsd usd;
  double seconds = 0;
  std::optional<std::string> output;  // The normalised final answer; "" if it gave none.
  Signals signals;
};

struct OutcomeRow {
  std::string query;
  std::string subtask = "1";
  Role role = Role::kGenerate;
  std::vector<std::string> depends_on;  // Subtasks of the same query.
  std::string category;                 // "" if unknown.
  std::string text;
  std::vector<ArmOutcome> arms;  // The first of a tier is its default; more of the edge may vote.
  std::optional<std::string> chosen;  // Endpoint, in production logs.
  std::optional<double> propensity;   // Of `chosen`, above 0 and at most 1.
};

}  // namespace hf
