// An evaluation in words and as JSON (docs/evaluation.md has the members).
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "eval/evaluate.h"
#include "eval/targets.h"
#include "wire/json.h"

namespace hf::eval {

struct EvaluationNotes {
  std::size_t queries = 0;
  std::size_t subtasks = 0;
  std::size_t rows_left_out = 0;
  std::uint32_t seeds = 0;
  std::string weights;  // Their provenance.
};

// Tables of at most 100 columns. `targets` may be null.
std::string evaluation_text(const Evaluation& evaluation, const Targets* targets,
                            const EvaluationNotes& notes);

wire::json::object evaluation_json(const Evaluation& evaluation, const Targets* targets,
                                   const EvaluationNotes& notes);

// "shuffled", or "shuffled, price 2x at 50 %".
std::string stream_name(const Setting& setting);

}  // namespace hf::eval
