// The built-in configurations as they were when the program was built.
#pragma once

#include <string_view>

namespace hf {

std::string_view embedded_edge();  // data/edge.toml
std::string_view embedded_lab();   // data/lab.toml

}  // namespace hf
