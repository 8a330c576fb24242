// Names of runs: unique everywhere, sortable by time. Thread safety: none needed.
#pragma once

#include <string>

namespace hf {

// 26 characters in Crockford's base 32: 48 bits of time in milliseconds, 80 random bits (the ULID
// layout).
std::string make_run_id();

}  // namespace hf
