// The OpenAPI 3.1 description of the server. Thread safety: none needed, it does not change.
#pragma once

#include <string_view>

namespace hf::serve {

// JSON.
std::string_view openapi();

}  // namespace hf::serve
