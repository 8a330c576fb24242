#include "route/router.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

#include "route/pick.h"
#include "route/policies.h"

namespace hf {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "edge",     "cloud", "random", "fixed", "difficulty", "hybridflow", "hybridflow-release",
    "category", "knn",   "linucb", "pacer", "zcl",        "dual",       "frugal",
    "ucci",     "dot",   "spar"};

Result<void> check(const PolicyOptions& options) {
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
  if (!(options.rise >= 0 && options.rise <= 1000)) {
    return fail(Code::kInvalidInput,
                fmt::format("the rise is {}, but must be between 0 and 1000.", options.rise));
  }
  if (options.difficulty < 1 || options.difficulty > 9) {
    return fail(
        Code::kInvalidInput,
        fmt::format("the difficulty is {}, but must be between 1 and 9.", options.difficulty));
  }
  if (!(options.spar.second_price >= 0 && options.spar.second_price <= 1000)) {
    return fail(Code::kInvalidInput,
                fmt::format("the price of a second is {}, but must be between 0 and 1000.",
                            options.spar.second_price));
  }
  if (!(options.spar.explore >= 0 && options.spar.explore <= 0.5)) {
    return fail(Code::kInvalidInput,
                fmt::format("the share of exploration is {}, but must be between 0 and 0.5.",
                            options.spar.explore));
  }
  return {};
}

}  // namespace

std::span<const std::string_view> policy_names() {
  return kNames;
}

Decision Router::review(const RouteInput& input, const Attempt&) {
  return pick(input, Tier::kEdge, "the result of the edge stands");
}

void Router::settled(const RouteInput&, const Decision&) {}

void Router::learned(const RouteInput&, const Decision&, const Lesson&) {}

Result<std::unique_ptr<Router>> make_router(std::string_view policy, const PolicyOptions& options,
                                            std::shared_ptr<const learn::Model> model) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  if (policy == "edge") return make_prefer_policy(Tier::kEdge);
  if (policy == "cloud") return make_prefer_policy(Tier::kCloud);
  if (policy == "random") return make_random_policy(options);
  if (policy == "category") return make_category_policy(std::move(model));
  if (policy == "fixed") return make_fixed_policy(options, std::move(model));
  if (policy == "difficulty") return make_difficulty_policy(options.difficulty);
  if (policy == "hybridflow") return make_hybridflow_policy(options, std::move(model));
  if (policy == "hybridflow-release") return make_release_policy();
  if (policy == "knn") return make_knn_policy(std::move(model));
  if (policy == "linucb") return make_linucb_policy(std::move(model));
  if (policy == "pacer") return make_pacer_policy(std::move(model));
  if (policy == "zcl") return make_zcl_policy(std::move(model));
  if (policy == "dual") return make_dual_policy(std::move(model));
  if (policy == "frugal") return make_cascade_policy(CascadeRule::kFrugal, std::move(model));
  if (policy == "ucci") return make_cascade_policy(CascadeRule::kUcci, std::move(model));
  if (policy == "dot") return make_cascade_policy(CascadeRule::kDot, std::move(model));
  if (policy == "spar") return make_spar_policy(options.spar, std::move(model));
  return fail(Code::kInvalidInput, fmt::format("there is no routing policy '{}'; choose one of {}.",
                                               policy, fmt::join(kNames, ", ")));
}

}  // namespace hf
