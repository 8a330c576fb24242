// Text inside of XML, HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace hf {

// With & < > " replaced by their entities.
[[nodiscard]] std::string escaped_markup(std::string_view text);

}  // namespace hf
