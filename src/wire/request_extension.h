// The object `hybridflow` in a request of a client: what this server is to do with it.
// docs/server.md lists every field. Thread safety: none needed, there is no state.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/budget.h"
#include "plan/gate.h"
#include "wire/request_field.h"

namespace hf::wire {

struct RequestExtension {
  Budget budget = {};                 // `budget` and `deadline_ms`.
  std::optional<PlanMode> plan = {};  // Not kGiven.
  std::string policy = {};            // Empty: the configured one.
  std::string session = {};           // Empty: none.
  bool progress = false;              // Of the graph, in comments of a stream.
  bool must_stay_local = false;       // `privacy`: "local".
};

// That of a request; unknown fields in it are faults. What the body does not say may be said by
// headers, for clients that cannot change their bodies: `x-hybridflow-budget-usd`,
// `-budget-cloud-tokens`, and the other fields with dashes. `headers`: names in lower case.
using HeaderLines = std::vector<std::pair<std::string, std::string>>;
std::expected<RequestExtension, RequestFault> read_extension(const json::object& request,
                                                             const HeaderLines& headers);

}  // namespace hf::wire
