// One maker a policy; each lives in the file of its name.
#pragma once

#include <memory>

#include "route/router.h"

namespace hf {

using ModelPtr = std::shared_ptr<const learn::Model>;

std::unique_ptr<Router> make_prefer_policy(Tier tier);
std::unique_ptr<Router> make_random_policy(const PolicyOptions& options);
std::unique_ptr<Router> make_category_policy(ModelPtr model);
std::unique_ptr<Router> make_fixed_policy(const PolicyOptions& options, ModelPtr model);
std::unique_ptr<Router> make_difficulty_policy(std::uint8_t rating);
std::unique_ptr<Router> make_hybridflow_policy(const PolicyOptions& options, ModelPtr model);
std::unique_ptr<Router> make_release_policy();
std::unique_ptr<Router> make_knn_policy(ModelPtr model);
std::unique_ptr<Router> make_linucb_policy(ModelPtr model);
std::unique_ptr<Router> make_pacer_policy(ModelPtr model);
std::unique_ptr<Router> make_zcl_policy(ModelPtr model);
std::unique_ptr<Router> make_dual_policy(ModelPtr model);
enum class CascadeRule : std::uint8_t { kFrugal, kUcci, kDot };
std::unique_ptr<Router> make_cascade_policy(CascadeRule rule, ModelPtr model);
std::unique_ptr<Router> make_spar_policy(const SparOptions& options, ModelPtr model);

}  // namespace hf
