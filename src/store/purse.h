// What one process has of a durable scope: one lease that grows when more is needed, and the calls
// that are paid from it.
//
// It decides how much to ask for; LeaseSource gives and keeps it. Thread safety: none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/lease_source.h"

namespace hf::store {

class Purse {
 public:
  // `source` must outlive it.
  Purse(LeaseSource& source, std::string scope) : source_(&source), scope_(std::move(scope)) {}

  struct Answer {
    Amounts leased;                  // In all, whatever of it is spent.
    std::optional<Refusal> refusal;  // The scope's, or it tells of a store that fails.
  };
  // Leases what is needed and a little more, durably.
  Answer want(const Amounts& needed);

  // Before a call is sent: an error means that it must not be.
  Result<void> started(CallId call, const Amounts& worst);

  // What a call cost; for one that is booked already, what it cost beyond that.
  void booked(CallId call, const Amounts& actual);

  // Returns what is not used. If the store fails now, the lease stays counted as spent until it is
  // reconciled.
  void give_back();

 private:
  void book_late(CallId call, const Amounts& more);

  LeaseSource* source_;
  std::string scope_;
  std::optional<LeaseId> lease_;
  Amounts leased_;
  Amounts spent_;
  Amounts spent_at_last_lease_;
  Amounts held_;
  std::map<CallId, Amounts> open_;
};

}  // namespace hf::store
