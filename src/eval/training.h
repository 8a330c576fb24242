// From recorded outcomes to the weights of the router, and what there is to say about them.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/outcomes.h"
#include "learn/trainer.h"

namespace hf::eval {

// The same outcomes, names and seed give the same model, bit by bit. `files` are for the
// provenance, which has their names without their folders.
Result<learn::Trained> train_on(const Dataset& dataset,
                                std::span<const std::filesystem::path> files, std::uint64_t seed);

// The table of the heads with their intervals, for a terminal.
std::string training_text(const learn::Trained& trained);

}  // namespace hf::eval
