// `hybridflow route status`: the weights in use, what was learned on top of them, and how well both
// predict.
#pragma once

#include "cli/ask.h"

namespace hf::cli {

struct RouteStatusOptions {
  ConfigOptions config;
  bool json = false;
};

int run_route_status(const RouteStatusOptions& options);

}  // namespace hf::cli
