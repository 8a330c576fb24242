// One world under many seeds: each run by itself, and what they come to together.
//
// The results are the same whatever the number of threads, and come in the order of the seeds.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/receipt.h"
#include "sim/histogram.h"
#include "sim/world.h"
#include "sim/world_file.h"

namespace hf::sim {

struct QueryResult {
  Outcome outcome = Outcome::kAnswered;
  Duration wall{};
  PicoUsd usd;
  Tokens cloud_tokens;
  Tokens edge_tokens;
  std::uint64_t cloud_calls = 0;
  std::uint64_t edge_calls = 0;
  std::uint64_t hedges = 0;
  bool is_right = false;
  bool is_lost = false;  // With the process: it has no outcome.
};

struct SeedResult {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Duration makespan{};  // From time zero to the end of the last query.
  std::vector<std::string> violations;
  std::vector<QueryResult> queries;  // Those that arrived, in the order of their ids.
  FaultCounts faults{};
  std::string trace;
};

[[nodiscard]] SeedResult run_seed(const WorldFile& file, std::uint64_t seed,
                                  std::string_view policy, Trace trace = Trace::kNone);

struct SweepOptions {
  std::uint64_t from = 1;
  std::uint64_t to = 1;  // Included.
  std::string policy;    // Empty: as the file says.
  unsigned jobs = 1;     // Threads.
  Trace trace = Trace::kNone;
};

// Hands each result to `sink`, on the caller's thread.
void sweep(const WorldFile& file, const SweepOptions& options,
           const std::function<void(const SeedResult&)>& sink);

// The seed that this thread is running; for a message if the run does not survive it.
[[nodiscard]] std::uint64_t current_seed();

// Sums over many seeds, in bounded memory.
struct Summary {
  void add(const SeedResult& result);

  std::uint64_t seeds = 0;
  std::uint64_t violations = 0;
  std::uint64_t hash = 0;  // Of all hashes in order.
  std::uint64_t events = 0;
  std::uint64_t queries = 0;
  std::array<std::uint64_t, 6> outcomes{};  // By Outcome,
  std::uint64_t lost = 0;                   // and those without one.
  std::uint64_t right = 0;
  QueryResult sums;  // Of the counts.
  FaultCounts faults{};
  Histogram latency;   // Of answered queries, degraded ones included.
  Histogram makespan;  // Of seeds.
};

}  // namespace hf::sim
