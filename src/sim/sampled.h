// The behaviour that a world file and a seed make: speeds, faults and rightness by chance.
//
// What happens to a call depends on the seed, its query, its subtask, its endpoint and how often it
// was tried there, and on nothing else that the scheduler decides: two policies meet the same luck.
// Only the request limit looks at what came before.
#pragma once

#include <deque>
#include <vector>

#include "base/rng.h"
#include "sim/behaviour.h"
#include "sim/world_file.h"

namespace hf::sim {

class Sampled : public Behaviour {
 public:
  // `file` must outlive it.
  Sampled(const WorldFile& file, std::uint64_t seed);

  [[nodiscard]] Course course(const CallView& call) override;
  [[nodiscard]] std::optional<Outage> next_outage(EndpointId endpoint) override;
  [[nodiscard]] std::optional<ClockJump> next_jump() override;
  [[nodiscard]] std::optional<Death> next_death() override;
  [[nodiscard]] Duration write_time() override { return file_.ledger.write.duration(writes_); }
  [[nodiscard]] std::optional<Duration> asks_again(QueryId lost) override;

 private:
  struct Place {
    Rng crashes;
    std::deque<TimePoint> recent;  // Starts within the last minute.
  };

  [[nodiscard]] std::optional<Duration> wait_for_turn(const CallView& call);
  [[nodiscard]] std::optional<Fault> ending_fault(const EndpointModel& model, Rng& rng) const;
  [[nodiscard]] bool is_right(const EndpointModel& model, const CallView& call) const;
  [[nodiscard]] Signals signals_of(const CallView& call, bool is_right) const;
  void play_out(const EndpointModel& model, const CallView& call, Rng& rng, Course& course);
  void break_off(const EndpointModel& model, Fault fault, Rng& rng, Course& course,
                 Duration inter_token);
  void garnish(const EndpointModel& model, const CallView& call, Rng& rng, Course& course);

  const WorldFile& file_;
  const std::uint64_t seed_;
  std::vector<Place> places_;
  Rng jumps_;
  Rng deaths_;
  Rng writes_;
};

}  // namespace hf::sim
