// What is asked of an endpoint in one call. Thread safety: none needed, there is no state.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/config.h"
#include "runtime/blackboard.h"
#include "schedule/event.h"
#include "wire/chat.h"

namespace hf {

// Where a planner without a grammar is stopped; not part of what it sends.
inline constexpr std::string_view kPlanEndTag = "</Plan>";

wire::ChatRequest request_of(const Blackboard& board, const StartCall& call,
                             const EndpointConfig& endpoint, std::uint32_t plan_steps_max);

}  // namespace hf
