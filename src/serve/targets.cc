#include "serve/targets.h"

#include <algorithm>
#include <utility>

namespace hf::serve {

Targets::Targets(const Config& config) {
  Target all{.among = {}, .goes_whole = false, .is_endpoint = false};
  Target edge{.among = {}, .goes_whole = true, .is_endpoint = false};
  Target cloud = edge;
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    const Endpoint& endpoint = config.endpoints[i].endpoint;
    Target& of_tier = endpoint.tier == Tier::kCloud ? cloud : edge;
    of_tier.among.push_back(static_cast<EndpointId>(i));
  }
  add("hybrid/auto", std::move(all));
  if (!edge.among.empty()) add("hybrid/edge", std::move(edge));
  if (!cloud.among.empty()) add("hybrid/cloud", std::move(cloud));
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    const Endpoint& endpoint = config.endpoints[i].endpoint;
    add(endpoint.name,
        {.among = {static_cast<EndpointId>(i)}, .goes_whole = true, .is_endpoint = true});
  }
}

std::optional<Target> Targets::find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return targets_[static_cast<std::size_t>(found - names_.begin())];
}

// An endpoint that is called like one of the first three stands behind it.
void Targets::add(std::string name, Target target) {
  if (find(name)) return;
  names_.push_back(std::move(name));
  targets_.push_back(std::move(target));
}

}  // namespace hf::serve
