// A small virtual world around the real scheduler: endpoints whose calls go as a Behaviour says, a
// clock that jumps from event to event, plans whose steps come at given times. It can tell what
// the scheduler does as a text trace, and checks after every event that no rule is broken
// (checker.h).
//
// It models no text and no network. Everything is a function of the specification: the same one
// gives the same trace, to the byte, and the same hash.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/budget.h"
#include "model/endpoint.h"
#include "model/plan.h"
#include "model/receipt.h"
#include "schedule/scheduler.h"
#include "sim/behaviour.h"
#include "store/ledger_file.h"

namespace hf::sim {

struct EndpointScript {
  Endpoint endpoint;
  Duration first_token{};
  Duration per_token{};
};

// Makes some calls differ from what their endpoint would do.
struct CallRule {
  std::string endpoint;              // Empty: any.
  std::string job;                   // "plan", "whole" or a step's label; empty: any.
  std::optional<QueryId> query;      // Absent: any.
  std::uint32_t nth = 0;             // Of this job at this endpoint, from 1; 0: every one.
  Failure failure = Failure::kNone;  // kNone: it succeeds.
  std::optional<Duration> after;     // When it ends.
  std::optional<Duration> retry_after;
  bool is_billable = true;
  bool has_usage = true;
  std::optional<Usage> usage;          // What it reports instead of the truth.
  std::optional<double> logprob = {};  // Mean over the tokens, if the endpoint tells it.
};

// The budget of all queries is at hand in slices only; more of it comes on demand.
struct LeaseScript {
  Budget total;
  Amounts slice;     // At least what is added each time, as long as there is so much.
  Duration delay{};  // Between WantBudget and its answer.
};

// The budget of all queries outlives the process: it is in the file of a real store (store/), and
// the process leases from it as the live one does.
struct LedgerScript {
  std::vector<store::ScopeSpec> scopes;  // Each below the one before; queries spend from the last.
  // For flows; a behaviour of its own has its own.
  Duration write{};  // How long each transaction takes.
  std::vector<Death> deaths;
};

// A budget that some queries share; the first is account 1.
struct AccountScript {
  Budget limits;
  std::optional<AccountId> parent;  // One before it.
};

struct WorldSpec {
  std::vector<EndpointScript> endpoints;
  Scheduler::Options options;  // `endpoints` is filled in from the above.
  std::string policy = "edge";
  PolicyOptions policy_options;
  std::vector<AccountScript> accounts;
  std::vector<QueryScript> queries;
  std::vector<CallRule> rules;
  std::optional<Duration>
      bill_delay;                    // Cancelled calls report their usage after it; absent: never.
  std::optional<LeaseScript> lease;  // At most one of these two.
  std::optional<LedgerScript> ledger;
  // Instead of speeds, rules and bill_delay above. It has a memory: for one world only.
  std::shared_ptr<Behaviour> behaviour;
  std::uint64_t events_max = 100'000;  // A world in which more happens does not end.
};

enum class Trace : std::uint8_t { kText, kNone };

class World {
 public:
  explicit World(WorldSpec spec, Trace trace = Trace::kText);
  ~World();

  // Runs until nothing is left to happen. Returns the trace: one line an event or command, starting
  // with the time in milliseconds; empty if none was wanted. Call once.
  std::string run();

  // The rules that were broken, one sentence each.
  [[nodiscard]] std::span<const std::string> violations() const;

  // Of all events and commands with their times, and of the final sums: the same run, the same
  // hash.
  [[nodiscard]] std::uint64_t hash() const;
  [[nodiscard]] std::uint64_t events() const;
  // When the last query was finished.
  [[nodiscard]] TimePoint end() const;
  // How often each fault really happened.
  [[nodiscard]] const FaultCounts& faults() const;

  // As it runs: with everything filled in, and the queries that were asked again.
  [[nodiscard]] const WorldSpec& spec() const;
  // Whether the scheduler ever heard of the query.
  [[nodiscard]] bool has_arrived(QueryId query) const;
  // Whether the process died while the query was open.
  [[nodiscard]] bool is_lost(QueryId query) const;
  // Of a query that has arrived; valid while the world lives.
  [[nodiscard]] const RunRecord& record(QueryId query) const;
  // Whether the query got an answer, and it is right as the behaviour has it.
  [[nodiscard]] bool is_right(QueryId query) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hf::sim
