// `hybridflow replay LOG`: does the scheduler of this program still do what a recorded run did?
#pragma once

#include <string>

namespace hf::cli {

struct ReplayOptions {
  std::string log;
  std::string weights;   // Of the run's router, if they are not those that it is shipped with.
  bool explain = false;  // Show each decision with its reason and numbers.
  bool json = false;
};

// Returns the exit code: 0 identical, 1 different, 2 if the log is damaged or none at all.
int run_replay(const ReplayOptions& options);

}  // namespace hf::cli
