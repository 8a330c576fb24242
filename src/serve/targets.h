// What the model names of the server stand for. Thread safety: none needed, it does not change.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "config/config.h"

namespace hf::serve {

// Where the run of a request may go.
struct Target {
  std::vector<EndpointId> among;  // Only there; empty: anywhere.
  bool goes_whole = false;        // Not split unless the request asks for it.
  bool is_endpoint = false;       // One by its own name: requests are passed on as they are.
};

class Targets {
 public:
  explicit Targets(const Config& config);

  // hybrid/auto, hybrid/edge and hybrid/cloud where there is such an endpoint, then the endpoints.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::optional<Target> find(std::string_view name) const;

 private:
  void add(std::string name, Target target);

  std::vector<std::string> names_;
  std::vector<Target> targets_;  // The same way.
};

}  // namespace hf::serve
