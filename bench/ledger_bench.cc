// What a reservation and its settlement cost through two scopes: the price of never overspending.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "ledger/ledger.h"

namespace hf {
namespace {

const Amounts kWorst{PicoUsd(8'000'000'000), Tokens(2600)};
const Amounts kActual{PicoUsd(200'000'000), Tokens(50)};

void BM_ReserveAndSettle(benchmark::State& state) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, {});
  const ScopeId query = ledger.open("query", process, {});
  for (auto _ : state) {
    const auto reservation = ledger.reserve(query, kWorst);
    ledger.settle(*reservation, kActual);
  }
  state.SetItemsProcessed(state.iterations() * 2);
  state.counters["spent_usd"] = static_cast<double>(ledger.state(process).spent.usd.count()) /
                                static_cast<double>(kPicoPerUsd);
}
BENCHMARK(BM_ReserveAndSettle);

// Many calls at once: every reservation is taken before the first one is settled.
void BM_ManyHeld(benchmark::State& state) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, {});
  const ScopeId query = ledger.open("query", process, {});
  std::vector<ReservationId> held(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (ReservationId& each : held) each = *ledger.reserve(query, kWorst);
    for (const ReservationId each : held) ledger.settle(each, kActual);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * 2);
}
BENCHMARK(BM_ManyHeld)->Arg(1000);

void BM_Refusal(benchmark::State& state) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, {});
  const ScopeId query =
      ledger.open("query", process, {.usd = PicoUsd(1), .cloud_tokens = {}, .deadline = {}});
  std::int64_t refused = 0;
  for (auto _ : state) refused += ledger.fits(query, kWorst) ? 0 : 1;
  state.SetItemsProcessed(refused);
}
BENCHMARK(BM_Refusal);

}  // namespace
}  // namespace hf
