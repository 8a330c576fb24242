// The configurations that need no file.
#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "config/address.h"
#include "config/config.h"
#include "config/embedded.h"

namespace hf {

namespace {

struct ListPrice {
  std::string_view model;
  Price price;
};

// List prices in picodollars per token (dollars per million x 1,000,000), as published by OpenAI in
// 2025. An unknown model is an error, never free: a wrong zero would make the budget meaningless.
constexpr std::array kListPrices{
    ListPrice{"gpt-4.1", {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)}},
    ListPrice{"gpt-4.1-mini", {PicoUsd(400'000), PicoUsd(100'000), PicoUsd(1'600'000)}},
    ListPrice{"gpt-4.1-nano", {PicoUsd(100'000), PicoUsd(25'000), PicoUsd(400'000)}},
    ListPrice{"gpt-4o", {PicoUsd(2'500'000), PicoUsd(1'250'000), PicoUsd(10'000'000)}},
    ListPrice{"gpt-4o-mini", {PicoUsd(150'000), PicoUsd(75'000), PicoUsd(600'000)}},
};

Result<void> add_openai(Config& config, std::string key, const Environment& env) {
  EndpointConfig cloud;
  cloud.model = env("OPENAI_MODEL").value_or("gpt-4.1-mini");
  cloud.url = env("OPENAI_BASE_URL").value_or("https://api.openai.com/v1");
  if (cloud.url.ends_with('/')) cloud.url.pop_back();
  if (const auto fault = fault_of_url(cloud.url)) {
    return fail(Code::kInvalidInput,
                fmt::format("OPENAI_BASE_URL is '{}'; it must be {}.", cloud.url, *fault));
  }
  if (!is_key(key)) {
    return fail(Code::kInvalidInput,
                "OPENAI_API_KEY has a line break or another character in it that no key has; set "
                "it again.");
  }
  cloud.api_key = std::move(key);
  cloud.api_key_env = "OPENAI_API_KEY";
  cloud.endpoint.name = "openai";
  cloud.endpoint.tier = Tier::kCloud;
  cloud.endpoint.max_in_flight = 16;
  for (const ListPrice& known : kListPrices) {
    if (known.model == cloud.model) {
      cloud.endpoint.price = known.price;
      config.endpoints.push_back(std::move(cloud));
      // With a paid endpoint there is always a limit; --budget-usd or a file sets another.
      config.query_budget.usd = PicoUsd(kPicoPerUsd / 100);
      config.policy = "hybridflow";
      return {};
    }
  }
  return fail(
      Code::kInvalidInput,
      fmt::format(
          "The price of OPENAI_MODEL '{}' is not known; describe the endpoint with its price in a "
          "configuration file (docs/configuration.md).",
          cloud.model));
}

}  // namespace

Result<Config> default_config(const Environment& env) {
  HF_TRY(Config config, read_config(embedded_edge(), "built-in edge configuration", env));
  if (auto key = env("OPENAI_API_KEY"); key && !key->empty()) {
    HF_CHECK(add_openai(config, *std::move(key), env));
  }
  return config;
}

Result<Config> lab_config(const Environment& env) {
  return read_config(embedded_lab(), "built-in lab configuration", env);
}

}  // namespace hf
