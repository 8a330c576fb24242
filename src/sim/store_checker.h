// The rules of a budget that outlives the process, checked against a truth rebuilt from what the
// process did, what endpoints charge, and when the writer wrote: never from the store's own books.
//
// - In every durable scope: what endpoints charge <= spent + leased <= limit, but for what they
//   charge beyond what they were allowed, which counts once it is on the disk.
// - A lease covers all its calls, whatever the process took with it when it died; what of it is on
//   no disk is within its window, and its window is at most a quarter of it.
// - What the file says of a lease is what was written, no more and no less; a scope has spent what
//   its leases settled and what was booked at their ends; no lease disappears.
// - Reconciled: what was settled, the worst cases of the calls that nobody knows the end of, and
// the
//   window for those that nobody knows of; the rest is returned.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "model/budget.h"
#include "store/ledger_file.h"

namespace hf::sim {

class StoreChecker {
 public:
  explicit StoreChecker(std::vector<store::ScopeSpec> scopes) : scopes_(std::move(scopes)) {}

  // ---- what the living process does ----
  void granted(store::LeaseId lease, const Amounts& amount);
  // Its journal was told that a call may begin soon; then, if it does, what its endpoint charges.
  void entered(CallId call, const Amounts& worst);
  void sent(CallId call, const Amounts& charge);
  void booked(CallId call, const Amounts& cost);
  void given_back();
  void died();

  // ---- what the writer does with all that was told so far ----
  void write_began();
  void write_ended(bool is_durable);

  void reconciled(std::span<const store::Reconciled> resolved);

  // What the file says now.
  void check(const store::Report& report);
  // When no process is left and somebody has reconciled.
  void check_end(const store::Report& report);

  // The rules that were broken since the last time this was asked.
  [[nodiscard]] std::vector<std::string> take_violations();

 private:
  // How far something that the journal was told has got.
  enum class Stage : std::uint8_t { kUntold, kTold, kBeingWritten, kDurable, kLost };
  struct Call {
    CallId id{};
    Amounts worst;
    Amounts charge;
    Amounts cost;
    Stage entry = Stage::kTold;
    Stage end = Stage::kUntold;
    bool is_sent = false;
  };
  struct Lease {
    store::LeaseId id{};
    Amounts granted;
    std::vector<Call> calls;
    Stage giving_back = Stage::kUntold;
    bool is_dead = false;
    bool is_over = false;
    Amounts booked_at_end;
  };
  // What follows from the calls of a lease.
  struct Sums {
    Amounts owed;        // To endpoints, as far as it is promised to be covered.
    Amounts settled;     // On the disk.
    Amounts beyond;      // Of it, what no reservation covered.
    Amounts open;        // Worst cases of calls that are on the disk and whose end is not.
    Amounts unwritten;   // Of calls that were sent and are not on the disk.
    Amounts unresolved;  // Owed for calls whose end is not on the disk.
  };

  [[nodiscard]] static Sums sums_of(const Lease& lease);
  [[nodiscard]] Lease* find(store::LeaseId id);
  [[nodiscard]] Call* find(CallId id);
  template <class Change>
  void each_stage(const Change& change);
  void check_lease(const store::LeaseRow& row, const Lease& lease);
  void check_scope(const store::ScopeRow& row, const Sums& sums, const Amounts& leased);
  void expect(bool holds, std::string_view rule) {
    if (!holds) violations_.emplace_back(rule);
  }

  const std::vector<store::ScopeSpec> scopes_;
  std::vector<Lease> leases_;  // One a process; the living one has the last, if it took any.
  bool is_alive_ = false;      // Whether the last lease is that of the living process.
  std::vector<std::string> violations_;
};

}  // namespace hf::sim
