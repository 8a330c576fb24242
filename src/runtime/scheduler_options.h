// What a scheduler is made from, by the configuration. Thread safety: none needed, there is no
// state.
#pragma once

#include "config/config.h"
#include "schedule/scheduler.h"

namespace hf {

Scheduler::Options scheduler_options(const Config& config);

}  // namespace hf
