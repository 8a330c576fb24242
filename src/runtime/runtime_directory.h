// A folder for sockets and logs that belongs to this user alone and does not survive a reboot.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace hf {

// $XDG_RUNTIME_DIR/hybridflow, or /tmp/hybridflow-UID if that variable names no folder of this user
// or one whose path is too long for sockets. Made if it is not there; refused if somebody else owns
// it. Files of processes that are gone are removed.
Result<std::string> runtime_directory(const Environment& env);

}  // namespace hf
