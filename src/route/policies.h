// One maker a policy; each lives in the file of its name.
#pragma once

#include <memory>

#include "route/router.h"

namespace hf {

std::unique_ptr<Router> make_prefer_policy(Tier tier);
std::unique_ptr<Router> make_random_policy(double cloud_share);
std::unique_ptr<Router> make_fixed_policy(double threshold);
std::unique_ptr<Router> make_difficulty_policy(std::uint8_t rating);
std::unique_ptr<Router> make_hybridflow_policy(double threshold);

}  // namespace hf
