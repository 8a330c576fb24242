// From a world file and a seed to the specification of one run.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/world.h"
#include "sim/world_file.h"

namespace hf::sim {

// `policy` replaces the file's if it is not empty. `file` must outlive the world that is made of
// it.
[[nodiscard]] WorldSpec make_world(const WorldFile& file, std::uint64_t seed,
                                   std::string_view policy);
WorldSpec make_world(WorldFile&& file, std::uint64_t seed, std::string_view policy) = delete;

}  // namespace hf::sim
