// Writes the event log of a run to a file, without ever being in the run's way.
//
// Lines are kept in memory and written when a query finishes, when they are many, when the last
// ones were written a second ago, and at the end. Where writing fails (a full disk), the file is
// cut to whole lines and its last line says why; the run goes on, and `trouble` tells what to say.
//
// Thread safety: none; it is used on the loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "schedule/event.h"
#include "wire/event_log.h"

namespace hf {

class Recorder {
 public:
  // Begins a new file, readable by this user only; an old one of that name is replaced. `program`
  // is the version to name in the log.
  static Result<std::unique_ptr<Recorder>> create(const std::string& path, std::string program);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Call once, before the first step. `header.program` is filled in.
  void start(wire::LogHeader header);
  void step(TimePoint at, const Event& event, std::span<const Command> commands);
  // The scheduler is about to forget this query.
  void forget(const RunRecord& record);
  // The orderly end; nothing may follow.
  void finish();

  // One sentence for the user if the log is cut, else empty.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  Recorder(int file, std::string path, std::string program);
  void flush();
  void cut(std::size_t written, const std::string& reason);

  int file_ = -1;
  const std::string path_;
  const std::string program_;
  std::string lines_;  // Not yet written.
  wire::EventLogWriter writer_{lines_};
  std::size_t lines_in_file_ = 0;
  std::size_t bytes_in_file_ = 0;
  TimePoint flushed_{};
  std::string trouble_;
};

}  // namespace hf
