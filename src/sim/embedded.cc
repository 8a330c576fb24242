// data/traces and worlds as bytes of this program.
#include "sim/embedded.h"

#include <array>

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace hf::sim {
namespace {

constexpr char kChaos[] = {
#embed "../../worlds/chaos.toml"
};
constexpr char kHosted[] = {
#embed "../../worlds/hosted.toml"
};
constexpr char kLab[] = {
#embed "../../worlds/lab.toml"
};
constexpr char kQuiet[] = {
#embed "../../worlds/quiet.toml"
};
constexpr char kLlmperf[] = {
#embed "../../data/traces/llmperf.csv"
};
constexpr char kAzureCode[] = {
#embed "../../data/traces/azure_code.csv"
};
constexpr char kAzureConv[] = {
#embed "../../data/traces/azure_conv.csv"
};
constexpr char kAsyncHow[] = {
#embed "../../data/traces/asynchow.csv"
};

constexpr std::array<ShippedWorld, 4> kWorlds = {{
    {.name = "chaos", .toml = {kChaos, sizeof kChaos}},
    {.name = "hosted", .toml = {kHosted, sizeof kHosted}},
    {.name = "lab", .toml = {kLab, sizeof kLab}},
    {.name = "quiet", .toml = {kQuiet, sizeof kQuiet}},
}};

}  // namespace

std::span<const ShippedWorld> shipped_worlds() {
  return kWorlds;
}
std::string_view embedded_llmperf() {
  return {kLlmperf, sizeof kLlmperf};
}
std::string_view embedded_azure_code() {
  return {kAzureCode, sizeof kAzureCode};
}
std::string_view embedded_azure_conv() {
  return {kAzureConv, sizeof kAzureConv};
}
std::string_view embedded_asynchow() {
  return {kAsyncHow, sizeof kAsyncHow};
}

}  // namespace hf::sim
