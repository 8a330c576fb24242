// Reads plan markup as a planner streams it: bytes in, validated steps out, whatever the model made
// of it.
//
//   <Plan>
//   <Step ID="1" Role="explain" Task="..." Rely="" Token="60" Difficulty="3"/>
//   ...
//   </Plan>
//
// Not an XML parser: single quotes, open/close form, entities, smart quotes, inner quotes, code
// fences, prose and thinking blocks around it, cut-off tags are read or skipped, never fatal. Every
// repair is told. A step is released as soon as all it relies on is released, so it may start while
// the rest is still being written. Linear time and bounded memory on any input.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/plan.h"

namespace hf {

class PlanReader {
 public:
  struct Options {
    std::uint32_t max_steps = 7;           // The sink included.
    std::size_t task_bytes_max = 4096;     // Longer tasks are cut, at a character.
    std::size_t plan_bytes_max = 262'144;  // Of markup; more is ignored and ends the plan.
  };

  explicit PlanReader(Options options);
  ~PlanReader();

  // Takes in more of the stream. Returns the steps released by it, in order; ids count up from 0
  // over the life of the reader.
  std::vector<PlannedStep> push(std::string_view bytes);

  struct End {
    std::vector<PlannedStep> steps;  // Released last.
    PlanEnd plan;
  };
  // Ends the plan: resolves what waits, finds or adds the one sink, prunes what does not reach it.
  // `is_cut`: the stream itself was cut off (token cap or failure). Call once.
  End finish(bool is_cut);

  // `</Plan>` was read, or the plan is too long: nothing that follows matters, the stream may be
  // stopped.
  [[nodiscard]] bool is_closed() const;

  // All released steps by id, and all repairs so far, one sentence each, in order.
  [[nodiscard]] std::span<const PlannedStep> steps() const;
  [[nodiscard]] std::span<const std::string> repairs() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hf
