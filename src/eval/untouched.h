// Which recorded queries may be used to judge a model: those that it has never seen.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "eval/outcomes.h"
#include "learn/model.h"
#include "learn/split.h"

namespace hf::eval {

// Of what is recorded; kAll is not a split of its own.
enum class Part : std::uint8_t { kTrain, kCalibration, kTest, kAll };

// "train", "calibration", "test", "all".
[[nodiscard]] std::optional<Part> part_named(std::string_view name);

struct Chosen {
  Dataset dataset;
  std::size_t rows_left_out = 0;  // Of the test part, whose texts the model saw under other names.
};

// The queries of that part. Refuses if the model was trained or calibrated on one of their texts;
// of the test part such queries are left out, for a text that comes twice may lie in two parts.
// `model` may be null. Fails if nothing is left.
Result<Chosen> untouched(const Dataset& dataset, Part part, const learn::Model* model);

}  // namespace hf::eval
