// Any bytes: a configuration is refused with its place in the file, or it can be run.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "config/config.h"

namespace {

using namespace hf;

// Everything is set but what begins with "NO".
std::optional<std::string> variable(const std::string& name) {
  return name.starts_with("NO") ? std::nullopt : std::optional<std::string>("secret");
}

void check_limits(const Budget& budget) {
  HF_ASSERT(!budget.usd || *budget.usd >= PicoUsd(0));
  HF_ASSERT(!budget.cloud_tokens || *budget.cloud_tokens >= Tokens(0));
  HF_ASSERT(!budget.deadline || *budget.deadline > Duration(0));
}

void check(const Config& config) {
  HF_ASSERT(index_of(config.planner) < config.endpoints.size());
  std::set<std::string> names;
  for (const EndpointConfig& each : config.endpoints) {
    HF_ASSERT(!each.endpoint.name.empty() && names.insert(each.endpoint.name).second);
    HF_ASSERT(each.engine.has_value() == each.url.empty());
    HF_ASSERT(each.api_key.empty() || each.api_key == "secret");
    const Price& price = each.endpoint.price;
    for (const PicoUsd part : {price.prompt, price.cached, price.completion}) {
      HF_ASSERT(part >= PicoUsd(0));
    }
    const Timeouts& times = each.timeouts;
    for (const Duration time : {times.connect, times.first_token, times.gap, times.total}) {
      HF_ASSERT(time > Duration(0));
    }
  }
  check_limits(config.query_budget);
  check_limits(config.process_budget);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = read_config(text, "file", variable);
  if (config) {
    check(*config);
  } else {
    HF_ASSERT(config.error().message.starts_with("file:"));
  }
  return 0;
}
