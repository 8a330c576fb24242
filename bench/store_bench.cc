// What durability costs: a lease, a journalled call, and how long `started` keeps its caller while
// the writer commits behind. On a real file below TMPDIR, with its real synchronisation.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "store/lease_store.h"

namespace hf::store {
namespace {

namespace fs = std::filesystem;

// A ledger with the scopes of a real one, removed at the end.
class Fixture {
 public:
  Fixture() {
    std::string name = (fs::temp_directory_path() / "hybridflow-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    auto opened = LeaseStore::open({.path = folder_ / "ledger.db", .clock = nullptr});
    if (!opened) std::abort();
    store_ = std::move(*opened);
    require(store_->define({"process", std::nullopt, {}}));
    require(store_->define({"key", "process", {}}));
    require(store_->define({"session", "key", {}}));
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() {
    store_ = nullptr;
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  LeaseStore& store() { return *store_; }

  LeaseId take(const Amounts& amount) {
    const auto taken = store_->take("session", amount, amount);
    if (!taken || !*taken) std::abort();
    return (*taken)->id;
  }

  static void require(const Result<void>& result) {
    if (!result) std::abort();
  }

 private:
  fs::path folder_;
  std::unique_ptr<LeaseStore> store_;
};

const Amounts kWorst{PicoUsd(8'000'000'000), Tokens(2600)};
const Amounts kActual{PicoUsd(200'000'000), Tokens(50)};
const Amounts kLarge{PicoUsd(100'000 * kPicoPerUsd), Tokens(1'000'000'000'000)};

void BM_TakeAndGiveBack(benchmark::State& state) {
  Fixture fixture;
  for (auto _ : state) Fixture::require(fixture.store().give_back(fixture.take(kWorst)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TakeAndGiveBack)->UseRealTime();

// One caller as fast as it can. The window is wide, so that it shows what the writer's work costs;
// `p99_us` is what a caller waits now and then.
void BM_StartedAndSettled(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  Fixture fixture;
  const LeaseId lease = fixture.take(kLarge);
  std::vector<double> waits;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const auto begun = Clock::now();
    Fixture::require(fixture.store().started(lease, CallId(++call), kWorst));
    const auto ended = Clock::now();
    waits.push_back(std::chrono::duration<double, std::micro>(ended - begun).count());
    Fixture::require(fixture.store().settled(lease, CallId(call), kActual));
  }
  Fixture::require(fixture.store().flush());
  state.SetItemsProcessed(state.iterations());
  std::ranges::sort(waits);
  state.counters["p50_us"] = waits[waits.size() / 2];
  state.counters["p99_us"] = waits[waits.size() * 99 / 100];
}
BENCHMARK(BM_StartedAndSettled)->UseRealTime();

// Many calls open at once, so that each has its row: what the writer manages, waiting included.
void BM_JournalledCalls(benchmark::State& state) {
  Fixture fixture;
  const LeaseId lease = fixture.take(kLarge);
  std::uint64_t call = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      Fixture::require(fixture.store().started(lease, CallId(call + std::uint64_t(i)), kWorst));
    }
    Fixture::require(fixture.store().flush());
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      Fixture::require(fixture.store().settled(lease, CallId(call++), kActual));
    }
    Fixture::require(fixture.store().flush());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_JournalledCalls)->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

// A lease too small to have a window: every call waits for the disk.
void BM_StartedWithoutWindow(benchmark::State& state) {
  Fixture fixture;
  const LeaseId lease = fixture.take(kWorst);
  std::uint64_t call = 0;
  for (auto _ : state) {
    Fixture::require(fixture.store().started(lease, CallId(++call), kWorst));
    Fixture::require(fixture.store().settled(lease, CallId(call), {}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_StartedWithoutWindow)->UseRealTime();

}  // namespace
}  // namespace hf::store
