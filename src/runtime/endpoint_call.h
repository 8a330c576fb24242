// The HTTP request that a call of the scheduler becomes. Thread safety: none needed, there is no
// state.
#pragma once

#include <cstdint>

#include "config/config.h"
#include "net/http_client.h"
#include "runtime/blackboard.h"
#include "runtime/engine_supervisor.h"
#include "schedule/event.h"

namespace hf {

// `address`: of the endpoint's engine, if it has one.
net::Call call_to(const EndpointConfig& endpoint, const EngineAddress& address,
                  const Blackboard& board, const StartCall& command, std::uint32_t plan_steps_max);

}  // namespace hf
