// A chat completion as the server of this program is asked for it: OpenAI's request, and the
// extension object `hybridflow` in it. docs/server.md lists every field.
//
// Reads any bytes; whether a model or an amount is allowed is not judged here. Thread safety: none
// needed, there is no state.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "model/budget.h"
#include "plan/gate.h"
#include "wire/chat.h"

namespace hf::wire {

struct HybridRequest {
  ChatRequest chat;              // Ends with a message of the user that has text.
  Budget budget;                 // `budget` and `deadline_ms` of the extension.
  std::optional<PlanMode> plan;  // Not kGiven.
  bool must_stay_local = false;  // `privacy`: "local".
};

// What is wrong with a request, as OpenAI's errors say it.
struct RequestFault {
  std::string message;  // One sentence.
  std::string param;    // The field at fault; empty if it is not one.
  std::string code;     // Stable, for programs.
};

// Fields of OpenAI's that this program does not know are ignored; those that it knows and cannot
// serve, those of a wrong type or out of range, and unknown ones of the extension are faults.
std::expected<HybridRequest, RequestFault> read_hybrid_request(std::string_view body);

}  // namespace hf::wire
