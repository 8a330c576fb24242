// Writes a ledger for the tests of `hybridflow ledger`: hf_make_ledger FILE dead|alive.
//
// One lease with one settled and one open call. Its owner is a process of an earlier boot, or this
// one, which then waits until its standard input ends.
#include <cstdio>
#include <string_view>

#include "store/lease_store.h"

int main(int argc, char** argv) {
  using namespace hf;
  if (argc != 3) return 2;
  store::LeaseStore::Options options{.path = argv[1], .clock = [] { return 1'700'000'000; }};
  const bool is_dead = std::string_view(argv[2]) == "dead";
  if (is_dead) {
    options.owner = {.pid = 4242, .born = 1, .boot = "an earlier boot", .pid_space = "any"};
  }
  const auto store = store::LeaseStore::open(std::move(options));
  if (!store) return 1;
  store::LeaseStore& ledger = **store;

  const PicoUsd cent(kPicoPerUsd / 100);
  const Amounts slice{cent * 40, Tokens(4000)};
  Budget process;
  process.usd = cent * 100;
  Budget key;
  key.cloud_tokens = Tokens(10'000);
  bool is_well = ledger.define({"process", std::nullopt, process}).has_value() &&
                 ledger.define({"key:a", "process", key}).has_value();
  const auto lease = ledger.take("key:a", slice, slice);
  if (!is_well || !lease || !*lease) return 1;
  is_well = ledger.started((*lease)->id, CallId(1), {cent * 4, Tokens(400)}).has_value() &&
            ledger.started((*lease)->id, CallId(2), {cent * 5, Tokens(500)}).has_value() &&
            ledger.settled((*lease)->id, CallId(1), {cent * 3, Tokens(300)}).has_value() &&
            ledger.flush().has_value();
  if (!is_well) return 1;
  std::puts("ready");
  std::fflush(stdout);
  while (!is_dead && std::getchar() != EOF) {
  }
  return 0;
}
