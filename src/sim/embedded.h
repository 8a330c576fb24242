// Recorded data and the shipped worlds as they were when the program was built.
#pragma once

#include <span>
#include <string_view>

namespace hf::sim {

struct ShippedWorld {
  std::string_view name;  // "chaos" for worlds/chaos.toml.
  std::string_view toml;
};
[[nodiscard]] std::span<const ShippedWorld> shipped_worlds();

// data/traces/*.csv, each with a line of headings.
[[nodiscard]] std::string_view embedded_llmperf();
[[nodiscard]] std::string_view embedded_azure_code();
[[nodiscard]] std::string_view embedded_azure_conv();
[[nodiscard]] std::string_view embedded_asynchow();

}  // namespace hf::sim
