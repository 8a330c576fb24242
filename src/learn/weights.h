// A model, and the state of an online learner, as bytes and back. The same value always gives the
// same bytes; what is read back equals what was written. Reading never crashes, whatever the bytes.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "learn/model.h"
#include "learn/online.h"

namespace hf::learn {

std::string to_bytes(const Model& model);

// kInvalidInput for anything that to_bytes() of this version did not write.
Result<Model> model_from(std::string_view bytes);

std::string to_bytes(const OnlineState& state);

// As model_from(); the learner goes on as if it had never stopped.
Result<OnlineHead> online_head_from(std::string_view bytes);

}  // namespace hf::learn
