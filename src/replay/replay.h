// Feeds a recorded event log to a router and scheduler made as the recorded ones were, and compares
// every command and every final record with the recorded ones, to the bit.
//
// A log is not trusted: whatever stands in it, the answer is a report or an error that names the
// line. It calls no model and reads no clock.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "learn/model.h"
#include "model/budget.h"
#include "model/decision.h"
#include "model/receipt.h"
#include "schedule/event.h"
#include "wire/event_log.h"

namespace hf {

// What became of a query, as far as the log goes.
struct ReplayedQuery {
  QueryId query{};
  std::optional<Outcome> outcome;  // Absent: it was still running.
  Amounts spent;
  Tokens edge_tokens;
};

// A call that was started, and why there.
struct Choice {
  Duration at{};  // Since the query's arrival.
  StartCall call;
  std::optional<Decision> decision;  // Absent for planner calls.
};

struct ReplayDifference {
  std::size_t line = 0;
  std::string event;  // What the line is about: "CallDone {"call":3}", "the record of query 1".
  wire::LineDifference what;
};

struct ReplayReport {
  wire::LogHeader header;
  std::size_t events = 0;
  std::size_t commands = 0;
  std::vector<ReplayedQuery> queries;  // In the order of their ends, then those that run.
  std::vector<Choice> choices;
  // The first line whose commands, record or counts come out differently; the replay stops there.
  std::optional<ReplayDifference> difference;
  // The first line that is not as it was recorded though nothing comes out differently at once;
  // 0: none.
  std::size_t changed_line = 0;
  bool is_complete = false;  // The log has its orderly end.
  std::string cut;           // Why recording stopped before the run did, if the log says so.

  [[nodiscard]] bool is_identical() const { return !difference && changed_line == 0; }
};

// Finds the model that a log names by its digest, which is not "".
using ModelSource =
    std::function<Result<std::shared_ptr<const learn::Model>>(const std::string& digest)>;

// Replays all of `log`, which errors call `name`: "run.log:17: …". An error means that the log is
// damaged or something else altogether, or that its model is not there.
Result<ReplayReport> replay(std::istream& log, std::string_view name, const ModelSource& models);

}  // namespace hf
