#include "route/router.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "route/policies.h"

namespace hf {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"edge",  "cloud",      "random",
                                                    "fixed", "difficulty", "hybridflow"};

}  // namespace

std::span<const std::string_view> policy_names() {
  return kNames;
}

Result<std::unique_ptr<Router>> make_router(std::string_view policy, const PolicyOptions& options) {
  if (!(options.cloud_share >= 0 && options.cloud_share <= 1)) {
    return fail(
        Code::kInvalidInput,
        fmt::format("the cloud share is {}, but must be between 0 and 1.", options.cloud_share));
  }
  if (!(options.threshold >= -1 && options.threshold <= 1)) {
    return fail(
        Code::kInvalidInput,
        fmt::format("the threshold is {}, but must be between -1 and 1.", options.threshold));
  }
  if (options.difficulty < 1 || options.difficulty > 9) {
    return fail(
        Code::kInvalidInput,
        fmt::format("the difficulty is {}, but must be between 1 and 9.", options.difficulty));
  }
  if (policy == "edge") return make_prefer_policy(Tier::kEdge);
  if (policy == "cloud") return make_prefer_policy(Tier::kCloud);
  if (policy == "random") return make_random_policy(options.cloud_share);
  if (policy == "fixed") return make_fixed_policy(options.threshold);
  if (policy == "difficulty") return make_difficulty_policy(options.difficulty);
  if (policy == "hybridflow") return make_hybridflow_policy(options.threshold);
  return fail(Code::kInvalidInput, fmt::format("there is no routing policy '{}'; choose one of {}.",
                                               policy, fmt::join(kNames, ", ")));
}

}  // namespace hf
