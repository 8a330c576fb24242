#ifdef HF_ENGINE
#include "cli/engine_command.h"

#include <cstdlib>
#include <utility>

#include "catalogue/store.h"
#include "cli/ask.h"
#include "cli/environment.h"

namespace hf::cli {

int run_engine_command(engine::EngineOptions options) {
  const auto directory = model_directory([](const char* name) { return std::getenv(name); });
  if (!directory) return complain(directory.error().message, kBadUsage);
  const auto model = resolve_model(catalogue(), *directory, options.model_path);
  if (!model) return complain(model.error().message, kBadUsage);
  const bool is_path = options.model_path.contains('/') || options.model_path.ends_with(".gguf");
  if (options.name.empty() && !is_path) options.name = options.model_path;
  options.model_path = *model;
  return engine::run_engine(options);
}

}  // namespace hf::cli
#endif
