// The words of `hybridflow bench …` on the command line.
#pragma once

#include "cli/bench_serve.h"

namespace CLI {
class App;
}

namespace hf::cli {

// Adds `bench` with its subcommands, which fill in `options`.
void add_bench(CLI::App& app, BenchServeOptions& options);

}  // namespace hf::cli
