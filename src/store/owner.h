// Who holds a lease: a process, named so that nobody else is ever mistaken for it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace hf::store {

struct Owner {
  std::int64_t pid = 0;
  std::int64_t born = 0;  // Start of the process in clock ticks since boot.
  std::string boot;       // The machine's boot, which makes `born` unique.
  std::string pid_space;  // The space in which `pid` counts: a container has its own.

  friend bool operator==(const Owner&, const Owner&) = default;
};

enum class OwnerState : std::uint8_t {
  kAlive,
  kDead,
  kElsewhere,  // In another container of this machine: it cannot be seen from here.
};

// This process.
Result<Owner> current_owner();

// Whether `owner` still runs. In doubt it does.
Result<OwnerState> state_of(const Owner& owner);

}  // namespace hf::store
