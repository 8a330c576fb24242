// Decides whether a question is worth a plan at all: a plan costs several times as much as one
// answer, so a simple question goes out whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hf {

enum class PlanMode : std::uint8_t { kAuto, kAlways, kNever, kGiven };

struct GateVerdict {
  bool plan = true;
  std::string reason;  // One clause: "short single question", "a plan was asked for".
};

GateVerdict gate(std::string_view question, PlanMode mode);

}  // namespace hf
