// The behaviour that a flow or a test writes down: constant speeds, and rules for single calls.
#pragma once

#include "sim/world.h"

namespace hf::sim {

class Scripted : public Behaviour {
 public:
  // `spec` must outlive it.
  explicit Scripted(const WorldSpec& spec) : spec_(spec) {}

  [[nodiscard]] Course course(const CallView& call) override;
  [[nodiscard]] std::optional<Death> next_death() override;
  [[nodiscard]] Duration write_time() override { return spec_.ledger->write; }

 private:
  [[nodiscard]] const CallRule* rule_for(const CallView& call) const;

  const WorldSpec& spec_;
  std::size_t deaths_ = 0;
};

// "plan", "whole", or the label of the step.
[[nodiscard]] std::string_view job_of(const StartCall& start, const StepScript* step);

}  // namespace hf::sim
