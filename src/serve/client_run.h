// The run of one request: tells those who follow it what happens, and what it was in the end.
// How its client is answered is the matter of ChatRun and ForwardRun.
//
// Thread safety: the loop's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/problem.h"
#include "serve/run_feed.h"

namespace hf::serve {

class ClientRun : public QueryListener {
 public:
  struct Options {
    std::string run;           // Id of the run.
    std::string model;         // As the client called it.
    std::int64_t created = 0;  // Unix seconds.
    bool is_streamed = false;
    bool wants_usage = false;          // A chunk of usage at the end of a stream.
    bool shows_progress = false;       // In comments of the stream.
    bool outlives_client = false;      // It goes on when its client leaves.
    bool adds_summary = false;         // To a whole answer that is passed on.
    std::vector<std::string> lowered;  // Fields that asked for more than is allowed.
  };
  struct Hooks {
    // Nobody waits for the answer any more; at most once.
    std::move_only_function<void()> give_up;
    // The run is over. May destroy this object in a later turn.
    std::move_only_function<void(Receipt)> done;
    // Where a refusal comes from renews itself in so many seconds.
    std::function<std::int64_t(const Refusal&)> renews_in = [](const Refusal&) { return 0; };
  };

  // `endpoints` must outlive the run.
  ClientRun(std::shared_ptr<net::Responder> responder, const std::vector<EndpointConfig>& endpoints,
            Options options, Hooks hooks);

  void on_gate(const GateVerdict& verdict) override;
  void on_step(const PlannedStep& step) override;
  void on_plan_end(const PlanEnd& end, std::span<const std::string> repairs) override;
  void on_call_start(const StartCall& call, const RunRecord& record) override;
  void on_change(const RunRecord& record) override;
  void on_finish(Receipt receipt) final;

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] RunFeed& feed() { return feed_; }

 protected:
  // The client's answer, once the run is over. REQUIRES: there is a responder.
  virtual void answer(const Receipt& receipt) = 0;
  // Progress, for who shows it.
  virtual void show(std::string_view /*event*/) {}

  void abandon();
  // Ends a stream whose head has left with an error.
  void break_off(const Problem& problem);
  // An answer that has begun is begun anew: what was streamed cannot be taken back, and no client
  // could tell the new from the old.
  void break_off_restarted();
  [[nodiscard]] Problem problem_of(const RunRecord& record) const;

  std::shared_ptr<net::Responder> responder_;  // Null once the client has all it will get.
  const Options options_;

 private:
  [[nodiscard]] const Endpoint& endpoint_of(EndpointId id) const {
    return endpoints_[index_of(id)].endpoint;
  }
  void tell(RunFeed::Event event);

  const std::vector<EndpointConfig>& endpoints_;
  Hooks hooks_;
  RunFeed feed_;
  std::vector<bool> is_told_;  // By call: that it is over.
};

// Whether there is an answer.
[[nodiscard]] bool is_answered(const RunRecord& record);

}  // namespace hf::serve
