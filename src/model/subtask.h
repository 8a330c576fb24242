// One node of a plan.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/units.h"

namespace hf {

// The few that most nodes have need no allocation.
using SubtaskIds = boost::container::small_vector<SubtaskId, 6>;

enum class Role : std::uint8_t { kExplain, kAnalyze, kGenerate };

// The part the core works with; the task's text stays on the query's blackboard.
struct Subtask {
  Role role = Role::kAnalyze;
  SubtaskIds relies_on = {};  // Each smaller than this node's own id: no cycle can be said.
  Tokens expected = {};       // The planner's guess of the answer's length; 0: none given.
};

// What the router may know of a task's text; computed where the text is, once.
// All counts are clamped to 65,535.
struct TaskFeatures {
  std::uint16_t words = 0;
  std::uint16_t numbers = 0;    // Runs of digits.
  std::uint16_t operators = 0;  // + - * / = < > % ^
  std::uint16_t choices = 0;    // Lines or parts that look like "A) ..." or "(b) ...".
  std::uint16_t code = 0;    // Back-ticks, braces, semicolons at line ends, `def`/`class`/`return`.
  std::uint8_t foreign = 0;  // Share of bytes outside of ASCII, in 255ths.
  std::uint8_t difficulty = 0;  // The planner's own 1..9; 0: none given.
  std::uint32_t category = 0;   // learn::category_key of its name; 0: unknown.
  double edge_text = 0;         // Logits of the text alone by the model in use; 0 without one.
  double cloud_text = 0;
};

}  // namespace hf
