// Writes a real slice of recorded outcomes as a problem for another solver, and what the oracle of
// this project makes of it: hf_oracle_slice FOLDER truth|predicted|graphs BUDGET_PERCENT
//
// One line a group, its options as VALUE:COST; then "budget B" and "best VALUE COST BOUND EXACT".
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>

#include "eval/graph_oracle.h"
#include "eval/import.h"
#include "eval/oracle.h"

namespace hf::eval {
namespace {

using Groups = std::vector<std::vector<OracleOption>>;

double gain_of(const OutcomeRow& row) {
  return row.arms[1].correct - row.arms[0].correct;
}

// Each question is worth a whole, a half or a third, as steps of a plan are.
Groups of_truth(std::span<const OutcomeRow> rows) {
  Groups groups;
  for (const OutcomeRow& row : rows) {
    const auto share = static_cast<double>(groups.size() % 3 + 1);
    groups.push_back({{}, {value_units(gain_of(row) / share), row.arms[1].usd.count()}});
  }
  return groups;
}

// What one would expect who knows the category and the length only.
Groups of_predictions(std::span<const OutcomeRow> rows) {
  std::map<std::string_view, std::pair<double, double>> categories;  // Sum of gains, count.
  for (const OutcomeRow& row : rows) {
    auto& [sum, count] = categories[row.category];
    sum += gain_of(row);
    count += 1;
  }
  Groups groups;
  for (const OutcomeRow& row : rows) {
    const auto& [sum, count] = categories[row.category];
    const double length = static_cast<double>(row.text.size() % 1000) / 10'000;
    groups.push_back({{}, {value_units(sum / count - length), row.arms[1].usd.count()}});
  }
  return groups;
}

// Four questions a query: one, then two beside each other, then one that needs both. One edge slot,
// a second costs a hundredth of an answer.
Groups of_graphs(std::span<const OutcomeRow> rows) {
  Groups groups;
  for (std::size_t i = 0; i + 4 <= rows.size(); i += 4) {
    const auto query = rows.subspan(i, 4);
    std::vector<OracleNode> nodes;
    for (const OutcomeRow& row : query) {
      nodes.push_back({OracleOption{value_units(row.arms[0].correct), 0},
                       OracleOption{value_units(row.arms[1].correct), row.arms[1].usd.count()}});
    }
    const auto makespan = [&](std::uint32_t clouds) {
      std::array<double, 4> ends{};
      double slot = 0;
      for (std::size_t node = 0; node < 4; ++node) {
        const double start = node == 0 ? 0 : node < 3 ? ends[0] : std::max(ends[1], ends[2]);
        const bool is_cloud = (clouds >> node & 1U) != 0;
        const double seconds = query[node].arms[is_cloud ? 1 : 0].seconds;
        ends[node] = (is_cloud ? start : std::max(start, slot)) + seconds;
        if (!is_cloud) slot = ends[node];
      }
      return std::chrono::round<Duration>(std::chrono::duration<double>(ends[3]));
    };
    groups.push_back(priced(pareto_assignments(nodes, makespan), 0.01 * kValueUnits));
  }
  return groups;
}

int run(const std::filesystem::path& folder, std::string_view kind, std::int64_t percent) {
  const auto rows =
      import_mmlu_pro({folder / "mmlu_pro_outcomes.csv.gz", folder / "mmlu_pro_predictions.csv.gz",
                       folder / "mmlu_pro_questions.jsonl.gz"},
                      {});
  if (!rows) {
    fmt::print(stderr, "{}\n", rows.error().message);
    return 1;
  }
  const auto slice = std::span(*rows).subspan(2000, 600);
  const Groups groups = kind == "truth"       ? of_truth(slice)
                        : kind == "predicted" ? of_predictions(slice)
                                              : of_graphs(slice);
  std::int64_t total = 0;
  for (const OutcomeRow& row : slice) total += row.arms[1].usd.count();
  const std::int64_t budget = total / 100 * percent;
  for (const auto& options : groups) {
    for (const OracleOption& option : options) fmt::print("{}:{} ", option.value, option.cost);
    fmt::print("\n");
  }
  const auto best = best_choices(groups, budget);
  if (!best) return 1;
  fmt::print("budget {}\nbest {} {} {:.6f} {}\n", budget, best->value, best->cost, best->bound,
             best->is_exact);
  return 0;
}

}  // namespace
}  // namespace hf::eval

int main(int argc, char** argv) {
  return argc == 4 ? hf::eval::run(argv[1], argv[2], std::atoi(argv[3])) : 2;
}
