// The trained model that a router decides by, and how logs and receipts name it.
//
// Thread safety: a model does not change.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "learn/model.h"

namespace hf {

inline constexpr std::string_view kShippedWeights = "shipped";
inline constexpr std::string_view kNoWeights = "none";

struct RouterModel {
  std::shared_ptr<const learn::Model> model;  // Null: the router's numbers are set by hand.
  std::string digest;                         // Of its bytes, 16 hexadecimal digits; "" for null.
};

// `weights` is "shipped", "none", or a file that `hybridflow train` wrote. kInvalidInput for a file
// that cannot be read, is damaged, or was trained for other inputs than this program has.
Result<RouterModel> load_router_model(const std::string& weights);

}  // namespace hf
