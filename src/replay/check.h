// What a log must keep to so that the scheduler can be fed with it: its preconditions, and bounds
// that keep its sums far from overflow. A log of this program always does.
#pragma once

#include "base/result.h"
#include "model/receipt.h"
#include "schedule/event.h"
#include "wire/event_log.h"

namespace hf {

Result<void> check(const wire::LogHeader& header);

// `record` is that of the query the event names; null if the event names none or it is not known.
Result<void> check(const Event& event, const RunRecord* record);

}  // namespace hf
