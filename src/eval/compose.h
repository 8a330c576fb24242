// Queries of several subtasks, put together from single ones along recorded graphs.
//
// The subtasks of one query come from one category. Nothing else of them depends on another: real
// errors propagate, these do not. Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "eval/outcomes.h"

namespace hf::eval {

inline constexpr std::size_t kComposedNodesMax = 12;

struct GraphShape {
  std::string name;
  std::size_t nodes = 0;
  std::vector<std::pair<std::size_t, std::size_t>> edges;  // From input to dependant, from 0 on.
};

// Lines of JSON, {"id": "g1", "n": 3, "edges": [[1, 3], [2, 3]]} with nodes from 1 to n, or a table
// as data/traces/asynchow.csv: durations_s,edges with nodes from 0 on, "0-1 1-2". Durations are
// those of people and not read; rows bring their own. `file` is for messages.
Result<std::vector<GraphShape>> read_graphs(std::string_view text, const std::string& file);

struct Composed {
  Dataset dataset;
  std::size_t rows_left_out = 0;  // Of queries with several subtasks, and those that were left.
};

// Every row at most once, every graph of at most kComposedNodesMax nodes as often as it comes up.
// The same for the same seed. Fails if no graph fits.
Result<Composed> compose(const Dataset& dataset, const std::vector<GraphShape>& graphs,
                         std::uint64_t seed);

}  // namespace hf::eval
