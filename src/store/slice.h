// How large a lease should be: large enough that taking one is rare, small enough that other
// processes find something too, and in the end a single call, so that the last cent can be used.
#pragma once

#include "model/budget.h"

namespace hf::store {

struct SliceInput {
  Amounts least;   // The call that waits for it.
  Amounts recent;  // What this process spent lately, for example since its last lease.
  Amounts left;    // What the tightest scope has left (LeaseStore::left).
};

// What to ask for: twice the recent spending, at first a few calls; never more than an eighth of
// what is left, never less than the call itself.
Amounts slice(const SliceInput& input);

}  // namespace hf::store
