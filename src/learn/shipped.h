// The weights that come with the program.
#pragma once

#include <string_view>

namespace hf::learn {

// The content of data/routing/weights.bin, for model_from (weights.h).
std::string_view shipped_weights();

}  // namespace hf::learn
