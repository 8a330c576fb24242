// The scheduler's own cost an event, over whole lives of queries of eight steps with instant
// models: time, heap allocations once as many queries have been open before, and bytes of each
// query that is open. It must stay far below the time of one token (about 5 ms).
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "schedule/scheduler.h"

// Every allocation of this program is counted. Thread safety: none; the benchmarks have one thread.
namespace {
std::int64_t allocations = 0;
std::int64_t allocated_bytes = 0;

void* counted(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  ++allocations;
  allocated_bytes += static_cast<std::int64_t>(::malloc_usable_size(memory));
  return memory;
}
void uncounted(void* memory) {
  allocated_bytes -= static_cast<std::int64_t>(::malloc_usable_size(memory));
  std::free(memory);
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void operator delete(void* memory) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  uncounted(memory);
}

namespace hf {
namespace {

Scheduler::Options options(std::uint32_t places) {
  Scheduler::Options options;
  Endpoint edge{.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = places};
  Endpoint cloud = edge;
  cloud.name = "cloud";
  cloud.tier = Tier::kCloud;
  cloud.price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)};
  options.endpoints = {edge, cloud};
  options.queries_max = 1'000'000;
  return options;
}

// Plays the driver: plans of one shape for many queries at once, every call answered in turn.
class Driver {
 public:
  Driver(Scheduler& scheduler, std::vector<Subtask> plan)
      : scheduler_(scheduler), plan_(std::move(plan)) {}

  // Carries `count` queries from arrival to the end, in lockstep.
  void run(std::uint64_t count) {
    const std::int64_t before = allocated_bytes;
    const std::uint64_t first = next_query_;
    next_query_ += count;
    for (std::uint64_t i = first; i < next_query_; ++i) {
      send(QueryArrived{.query = static_cast<QueryId>(i),
                        .budget = {.usd = PicoUsd(kPicoPerUsd), .cloud_tokens = {}, .deadline = {}},
                        .plan = true,
                        .plan_given = true,
                        .question_bytes = 200,
                        .features = {},
                        .seed = i});
    }
    for (std::size_t step = 0; step < plan_.size(); ++step) {
      for (std::uint64_t i = first; i < next_query_; ++i) {
        send(StepParsed{.query = static_cast<QueryId>(i),
                        .id = static_cast<SubtaskId>(step),
                        .subtask = plan_[step],
                        .task_bytes = 40,
                        .features = {}});
      }
    }
    for (std::uint64_t i = first; i < next_query_; ++i) {
      send(PlanEnded{.query = static_cast<QueryId>(i),
                     .sink = static_cast<SubtaskId>(plan_.size() - 1),
                     .pruned = {}});
    }
    open_bytes = allocated_bytes - before;
    while (!running_.empty()) {
      answering_.swap(running_);
      for (const CallId call : answering_) send(CallFirstToken{call});
      for (const CallId call : answering_) {
        Usage usage;
        usage.prompt = Tokens(40);
        usage.completion = Tokens(20);
        send(CallDone{.call = call, .usage = usage, .output_bytes = 80, .signals = {}});
      }
      answering_.clear();
    }
    for (std::uint64_t i = first; i < next_query_; ++i) scheduler_.forget(static_cast<QueryId>(i));
  }

  std::int64_t events = 0;
  std::int64_t finished = 0;
  std::int64_t open_bytes = 0;  // Of the last run, with all its plans known and first calls out.

 private:
  void send(const Event& event) {
    ++events;
    now_ += Duration(1000);
    commands_.clear();
    scheduler_.step(now_, event, commands_);
    for (const Command& command : commands_) {
      if (const auto* start = std::get_if<StartCall>(&command)) running_.push_back(start->call);
      if (std::holds_alternative<FinishQuery>(command)) ++finished;
    }
  }

  Scheduler& scheduler_;
  std::vector<Subtask> plan_;
  std::uint64_t next_query_ = 1;
  TimePoint now_{};
  std::vector<Command> commands_;
  std::vector<CallId> running_;
  std::vector<CallId> answering_;
};

std::vector<Subtask> plan() {
  const auto step = [](Role role, std::vector<std::uint32_t> inputs) {
    Subtask subtask{.role = role, .relies_on = {}, .expected = Tokens(60)};
    for (const std::uint32_t input : inputs) {
      subtask.relies_on.push_back(static_cast<SubtaskId>(input));
    }
    return subtask;
  };
  return {step(Role::kExplain, {}),     step(Role::kAnalyze, {0}),    step(Role::kAnalyze, {0}),
          step(Role::kAnalyze, {0}),    step(Role::kAnalyze, {1}),    step(Role::kAnalyze, {1, 2}),
          step(Role::kAnalyze, {3, 5}), step(Role::kGenerate, {4, 6})};
}

void BM_Scheduler(benchmark::State& state, const std::string& policy,
                  std::uint32_t places = 1'000'000) {
  const auto router = make_router(policy, {});
  Scheduler scheduler(options(places), **router);
  Driver driver(scheduler, plan());
  const auto queries = static_cast<std::uint64_t>(state.range(0));
  driver.run(queries);  // Warm-up: tables and queues have their size.
  const std::int64_t open_bytes = driver.open_bytes;
  driver.run(queries);
  driver.events = driver.finished = 0;
  const std::int64_t before = allocations;
  for (auto _ : state) driver.run(queries);
  state.SetItemsProcessed(driver.events);
  state.counters["allocs/event"] =
      static_cast<double>(allocations - before) / static_cast<double>(driver.events);
  state.counters["bytes/query"] = static_cast<double>(open_bytes) / static_cast<double>(queries);
  state.counters["queries"] = static_cast<double>(driver.finished);
}
BENCHMARK_CAPTURE(BM_Scheduler, edge, "edge")->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK_CAPTURE(BM_Scheduler, edge_with_64_places, "edge", 64)->Arg(100)->Arg(10'000);
BENCHMARK_CAPTURE(BM_Scheduler, cloud, "cloud")->Arg(100);
BENCHMARK_CAPTURE(BM_Scheduler, hybridflow, "hybridflow")->Arg(100);

}  // namespace
}  // namespace hf
