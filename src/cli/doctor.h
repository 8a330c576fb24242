// `hybridflow doctor`: what is installed, which models, which endpoints answer and how fast, what
// is wrong and how to mend it.
#pragma once

#include "cli/ask.h"

namespace hf::cli {

struct DoctorOptions {
  ConfigOptions config;
  bool json = false;
};

// Returns 0 if everything needed works, 1 if not, 2 for a bad configuration.
int run_doctor(const DoctorOptions& options);

}  // namespace hf::cli
