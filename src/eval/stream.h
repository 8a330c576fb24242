// A stream of queries through one policy and one budget: what the very Router objects that serve
// would have chosen on recorded outcomes, and what that would have come to.
//
// Each query runs on a virtual clock with a few edge places and a cloud without a queue; the ledger
// reserves the worst case before anything is sent to the cloud; where that no longer fits, the
// answer may be as long as the money lasts, if that is likely enough. An attempt's voters need
// places on the edge as all else does. Queries come one after the other. A policy is told what its
// own choices led to (and nothing of what it did not choose).
//
// Thread safety: a run touches nothing but its own state; runs may go in parallel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/prepared.h"
#include "learn/model.h"
#include "route/router.h"

namespace hf::eval {

// The cloud costs `factor` times as much from that share of the stream on; known from then on.
struct PriceChange {
  double factor = 1;
  double at = 0.5;
};

struct StreamOptions {
  PicoUsd limit;
  PriceChange price;
  std::uint64_t seed = 1;
  std::uint32_t edge_places = 1;
  bool late_binding = true;  // A subtask that waits for a place is decided on again.
  bool knows_bills = false;  // Holds what a result will cost and not the worst: for clairvoyants.
};

struct QueryOutcome {
  double correct = 0;  // Mean over its subtasks.
  bool is_all_correct = false;
  PicoUsd usd;
  double seconds = 0;  // From start to end.
};

struct StreamResult {
  std::vector<QueryOutcome> queries;  // By index in `Prepared`, whatever the order.
  PicoUsd spent;
  PicoUsd overshoot;          // The most by which spent + held ever exceeded the limit.
  std::uint64_t to_edge = 0;  // Results that stood, by where they came from.
  std::uint64_t to_cloud = 0;
  std::uint64_t attempts = 0;              // Looked at before they stood or not.
  std::uint64_t votes = 0;                 // Calls of voters for them.
  std::uint64_t cut = 0;                   // Answers of the cloud that did not fit into the money.
  std::vector<double> spending;            // Share of the limit at each hundredth of the stream.
  std::vector<std::uint32_t> decision_ns;  // Wall time of each choose and review.
};

// `order` lists the queries by index.
[[nodiscard]] StreamResult run_stream(const Prepared& data, std::span<const std::uint32_t> order,
                                      Router& router, const StreamOptions& options);

// What a query costs at its place in the order: the price change included.
[[nodiscard]] double price_factor(const PriceChange& change, std::size_t place, std::size_t count);

}  // namespace hf::eval
