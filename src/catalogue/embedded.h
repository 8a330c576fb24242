// The catalogue's text as it was when the program was built. Parsing it is model.h's matter.
#pragma once

#include <string_view>

namespace hf {

// The content of data/models.toml.
std::string_view embedded_catalogue();

}  // namespace hf
