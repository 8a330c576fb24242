// What recording adds to an event, and what a replay of it costs.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "schedule/event.h"
#include "wire/event_log.h"

namespace hf {
namespace {

// An answer that starts the next subtask: the most usual step.
void step(wire::EventLogWriter& writer, std::int64_t count) {
  CallDone done;
  done.call = CallId(3);
  done.usage = Usage{Tokens(812), Tokens(512), Tokens(97)};
  done.output_bytes = 391;
  done.signals = Signals{.mean_logprob = -0.123456789, .margin = 0.43};
  StartCall start;
  start.call = CallId(4);
  start.query = QueryId(1);
  start.max_tokens = Tokens(256);
  start.inputs = {SubtaskId(0), SubtaskId(1)};
  start.give_up = TimePoint(std::chrono::seconds(20));
  const std::vector<Command> commands{start};
  writer.step(TimePoint(Duration(1'000'000'000 + count)), done, commands);
}

void write_step(benchmark::State& state) {
  std::string lines;
  wire::EventLogWriter writer(lines);
  std::int64_t bytes = 0;
  for (auto _ : state) {
    lines.clear();
    step(writer, state.iterations());
    bytes += static_cast<std::int64_t>(lines.size());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(write_step);

void read_step(benchmark::State& state) {
  std::string line;
  wire::EventLogWriter writer(line);
  step(writer, 1);
  line.pop_back();
  for (auto _ : state) benchmark::DoNotOptimize(wire::read_log_line(line));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_step);

}  // namespace
}  // namespace hf
