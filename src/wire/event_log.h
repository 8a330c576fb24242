// The event log of a run: all that the scheduler was told and all that it answered, a step a line,
// so that a replay can ask for the same answers. docs/event-log.md shows the format.
//
// No text of a question, prompt or answer is in it, and neither address nor key of an endpoint.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/receipt.h"
#include "route/router.h"
#include "schedule/event.h"
#include "schedule/scheduler.h"

namespace hf::wire {

// A line longer than this is refused.
inline constexpr std::size_t kLogLineBytesMax = 16 * 1024 * 1024;

// What the scheduler was made from.
struct LogHeader {
  std::string program;  // Version of the program that made the log.
  std::string policy;
  std::string weights;      // Digest of the router's model, "" if it has none.
  std::string corrections;  // Learned since its training (learn/corrections.h), "" if nothing was.
  PolicyOptions policy_options;
  Scheduler::Options scheduler;
};

// One event and the commands it made.
struct LoggedStep {
  TimePoint at{};
  Event event;
};

// The record of a query at the moment when the driver had the scheduler forget it.
struct LoggedRecord {
  QueryId query{};
};

// Recording ended before the run did.
struct LogCut {
  std::string reason;
};

// The orderly end. Its counts tell whether lines were lost.
struct LogEnd {};

using LogLine = std::variant<LogHeader, LoggedStep, LoggedRecord, LogCut, LogEnd>;

// Reads what tells a replay what to do; what it should find then is compared as text, because the
// same values always make the same line. `line` is without its end. The error names the member.
Result<LogLine> read_log_line(std::string_view line);

// Appends lines to `out`, each with its end and a check sum over it and its number.
class EventLogWriter {
 public:
  // `lines` stand before the first one that is written here.
  explicit EventLogWriter(std::string& out, std::size_t lines = 0) : out_(out), lines_(lines) {}

  void header(const LogHeader& header);
  void step(TimePoint at, const Event& event, std::span<const Command> commands);
  void record(const RunRecord& record);
  void cut(const std::string& reason);
  void end();

  [[nodiscard]] std::size_t lines() const { return lines_; }
  [[nodiscard]] std::size_t events() const { return events_; }
  [[nodiscard]] std::size_t commands() const { return commands_; }

 private:
  void seal(std::size_t begin);

  std::string& out_;
  std::size_t lines_ = 0;
  std::size_t events_ = 0;
  std::size_t commands_ = 0;
};

// The event with its members, shortened: "TimerFired {"timer":3}".
std::string words_of(const Event& event);

struct LineDifference {
  std::string place;  // "commands[1].StartCall.max_tokens"; "sum" if nothing else differs.
  std::string expected;
  std::string got;
};

// The first difference between a line as it was logged and as it is made again; nullopt if there is
// none. REQUIRES: both are lines that can be read.
std::optional<LineDifference> difference_of(std::string_view logged, std::string_view made);

}  // namespace hf::wire
