// `hybridflow engine`: finds the model and serves it.
#pragma once

#include "engine/engine.h"

namespace hf::cli {

// `options.model_path` is a name of the catalogue or a path. Returns the exit code.
int run_engine_command(engine::EngineOptions options);

}  // namespace hf::cli
