// Where the leases of one process come from and where its calls are journalled: LeaseStore in the
// live program, a virtual process in the simulator.
//
// Thread safety: the implementation's.
#pragma once

#include <expected>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/journal_book.h"

namespace hf::store {

struct Lease {
  LeaseId id{};
  Amounts amount;  // What was given now.
  Amounts window;  // What may be under way unwritten, of the whole lease.
};

// The lease, or a typed "no"; where the store itself fails, an Error around it.
using Taken = std::expected<Lease, Refusal>;

class LeaseSource {
 public:
  virtual ~LeaseSource() = default;

  // Gives `wanted` from a scope and all above it, or what is left if that is at least `least`, on
  // each axis by itself; durable when it returns. The refusal is the innermost scope's.
  virtual Result<Taken> take(std::string_view scope, const Amounts& wanted,
                             const Amounts& least) = 0;

  // The same for a lease of this process: it grows. So one lease serves a scope as long as a
  // process needs it, and the worst case of a call is never cut between two.
  virtual Result<Taken> extend(LeaseId lease, const Amounts& wanted, const Amounts& least) = 0;

  // What the tightest of a scope and those above it has left, for `slice`. Not negative.
  virtual Result<Amounts> left(std::string_view scope) = 0;

  // A call may begin when this returns nothing; it waits if too much would be unwritten. Refused:
  // a call that does not fit into the lease, one that is open already, a store that cannot write.
  virtual Result<void> started(LeaseId lease, CallId call, const Amounts& worst) = 0;

  // What a call cost; never waits. More than its worst case is booked in full: the lease grows.
  virtual Result<void> settled(LeaseId lease, CallId call, const Amounts& actual) = 0;

  // Ends a lease: calls still open are booked at their worst, the rest is free for others. After an
  // error it is ended by the next write that succeeds.
  virtual Result<void> give_back(LeaseId lease) = 0;
};

}  // namespace hf::store
