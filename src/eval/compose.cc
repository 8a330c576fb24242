#include "eval/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <span>

#include "base/number.h"
#include "base/rng.h"
#include "wire/json.h"

namespace hf::eval {
namespace {

using wire::json::array;
using wire::json::object;

constexpr std::size_t kNodesMax = 1000;  // Of any graph; larger ones are surely a mistake.

std::unexpected<Error> wrong(const std::string& file, std::size_t line, std::string_view what) {
  return fail(Code::kInvalidInput, fmt::format("{}: line {}: {}", file, line, what));
}

// Cuts the text up to the separator off its front; all of it if there is none.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

// Why the graph cannot be used, or nothing. A graph is acyclic iff all nodes can be taken off one
// after the other, each when nothing leads to it any more.
std::string_view fault_of(const GraphShape& graph) {
  if (graph.nodes == 0) return "a graph needs at least one node.";
  if (graph.nodes > kNodesMax) return "a graph may have at most 1000 nodes.";
  std::vector<std::size_t> inputs(graph.nodes, 0);
  std::vector<std::vector<std::size_t>> dependants(graph.nodes);
  for (const auto& [from, to] : graph.edges) {
    if (from >= graph.nodes || to >= graph.nodes) return "an edge names a node that is not there.";
    if (std::ranges::find(dependants[from], to) != dependants[from].end()) {
      return "an edge comes twice.";
    }
    dependants[from].push_back(to);
    ++inputs[to];
  }
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < graph.nodes; ++i) {
    if (inputs[i] == 0) free.push_back(i);
  }
  for (std::size_t i = 0; i < free.size(); ++i) {
    for (const std::size_t to : dependants[free[i]]) {
      if (--inputs[to] == 0) free.push_back(to);
    }
  }
  return free.size() == graph.nodes ? "" : "its edges go in a circle.";
}

Result<GraphShape> read_json_graph(std::string_view line, const std::string& file,
                                   std::size_t number) {
  const auto value = wire::parse_json(line);
  if (!value) return wrong(file, number, value.error().message);
  const object* members = value->if_object();
  const auto nodes = members == nullptr ? std::nullopt : wire::find_integer(*members, "n");
  const array* edges = members == nullptr ? nullptr : wire::find_array(*members, "edges");
  if (!nodes || *nodes < 1 || edges == nullptr) {
    return wrong(file, number, "a graph is {\"id\", \"n\": nodes, \"edges\": [[from, to]...]}.");
  }
  GraphShape graph;
  graph.name = wire::find_string(*members, "id").value_or(fmt::format("line {}", number));
  graph.nodes = static_cast<std::size_t>(*nodes);
  for (const auto& edge : *edges) {
    const array* ends = edge.if_array();
    if (ends == nullptr || ends->size() != 2 || !ends->at(0).is_int64() ||
        !ends->at(1).is_int64() || ends->at(0).get_int64() < 1 || ends->at(1).get_int64() < 1) {
      return wrong(file, number, "an edge is [from, to], nodes from 1 to n.");
    }
    graph.edges.emplace_back(static_cast<std::size_t>(ends->at(0).get_int64()) - 1,
                             static_cast<std::size_t>(ends->at(1).get_int64()) - 1);
  }
  return graph;
}

Result<GraphShape> read_table_graph(std::string_view line, const std::string& file,
                                    std::size_t number) {
  GraphShape graph{.name = fmt::format("line {}", number), .nodes = 0, .edges = {}};
  std::string_view durations = take(line, ',');
  while (!durations.empty()) {
    take(durations, ' ');
    ++graph.nodes;
  }
  while (!line.empty()) {
    std::string_view edge = take(line, ' ');
    const auto from = parse_number<std::size_t>(take(edge, '-'));
    const auto to = parse_number<std::size_t>(edge);
    if (!from || !to) return wrong(file, number, "edges are pairs of nodes as in \"0-1 1-2\".");
    graph.edges.emplace_back(*from, *to);
  }
  return graph;
}

void shuffle(std::vector<std::size_t>& list, Rng& rng) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[rng.below(i)]);
}

// The rows as the subtasks of one query.
void add_query(const GraphShape& graph, std::span<const std::size_t> picked, const Dataset& dataset,
               std::size_t number, std::vector<OutcomeRow>& rows) {
  const std::size_t first = rows.size();
  for (std::size_t i = 0; i < graph.nodes; ++i) {
    OutcomeRow& row = rows.emplace_back(dataset.rows()[picked[i]]);
    row.query = fmt::format("composed-{}", number);
    row.subtask = fmt::format("{}", i + 1);
    row.role = Role::kGenerate;
    row.depends_on.clear();
  }
  for (const auto& [from, to] : graph.edges) {
    rows[first + to].depends_on.push_back(fmt::format("{}", from + 1));
    rows[first + from].role = Role::kAnalyze;
  }
}

}  // namespace

Result<std::vector<GraphShape>> read_graphs(std::string_view text, const std::string& file) {
  std::vector<GraphShape> graphs;
  const bool is_table = text.starts_with("durations_s,");
  std::size_t number = 0;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (is_table && number == 1) continue;
    auto graph =
        is_table ? read_table_graph(line, file, number) : read_json_graph(line, file, number);
    if (!graph) return std::unexpected(graph.error());
    if (const auto fault = fault_of(*graph); !fault.empty()) return wrong(file, number, fault);
    graphs.push_back(*std::move(graph));
  }
  if (graphs.empty()) return fail(Code::kInvalidInput, file + ": there is no graph in it.");
  return graphs;
}

Result<Composed> compose(const Dataset& dataset, const std::vector<GraphShape>& graphs,
                         std::uint64_t seed) {
  Rng rng(mix(seed));
  std::map<std::string_view, std::vector<std::size_t>> by_category;
  Composed composed;
  std::size_t row = 0;
  for (std::size_t q = 0; q < dataset.queries(); ++q) {
    const std::size_t rows = dataset.query(q).size();
    if (rows == 1) {
      by_category[dataset.rows()[row].category].push_back(row);
    } else {
      composed.rows_left_out += rows;
    }
    row += rows;
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    if (graphs[i].nodes <= kComposedNodesMax) order.push_back(i);
  }
  shuffle(order, rng);

  std::vector<OutcomeRow> rows;
  std::size_t queries = 0;
  std::size_t next = 0;
  for (auto& [category, places] : by_category) {
    shuffle(places, rng);
    std::size_t used = 0;
    // Until every graph has been found too large for what is left.
    for (std::size_t tried = 0; tried < order.size(); ++tried) {
      const GraphShape& graph = graphs[order[next++ % order.size()]];
      if (graph.nodes > places.size() - used) continue;
      add_query(graph, std::span(places).subspan(used, graph.nodes), dataset, ++queries, rows);
      used += graph.nodes;
      tried = 0;
    }
    composed.rows_left_out += places.size() - used;
  }
  if (rows.empty()) {
    return fail(Code::kInvalidInput,
                fmt::format("No graph of at most {} nodes can be filled with single subtasks of "
                            "one category.",
                            kComposedNodesMax));
  }
  HF_TRY(composed.dataset, Dataset::from(std::move(rows)));
  return composed;
}

}  // namespace hf::eval
