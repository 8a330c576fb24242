#include "eval/outcomes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "eval/text_file.h"
#include "wire/outcome_lines.h"

namespace hf::eval {
namespace {

std::string in_file(std::string_view file, std::string_view message) {
  return file.empty() ? std::string(message) : fmt::format("{}: {}", file, message);
}

// A row that, through others, is an input of its own; nullopt if there is none.
std::optional<std::size_t> row_in_circle(std::span<const std::vector<std::size_t>> inputs) {
  std::vector<std::size_t> open(inputs.size());
  std::vector<std::vector<std::size_t>> dependants(inputs.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    open[i] = inputs[i].size();
    if (open[i] == 0) ready.push_back(i);
    for (const std::size_t input : inputs[i]) dependants[input].push_back(i);
  }
  for (std::size_t done = 0; done < ready.size(); ++done) {
    for (const std::size_t dependant : dependants[ready[done]]) {
      if (--open[dependant] == 0) ready.push_back(dependant);
    }
  }
  if (ready.size() == inputs.size()) return std::nullopt;
  const auto is_stuck = [&](std::size_t row) { return open[row] > 0; };
  auto row = static_cast<std::size_t>(
      std::ranges::find_if(open, [](std::size_t count) { return count > 0; }) - open.begin());
  // What is stuck has a stuck input; after as many steps back as there are rows, it is in a circle.
  for (std::size_t step = 0; step < inputs.size(); ++step) {
    row = *std::ranges::find_if(inputs[row], is_stuck);
  }
  return row;
}

}  // namespace

Result<Dataset> Dataset::group(std::vector<Located> rows) {
  std::unordered_map<std::string_view, std::size_t> indexes;  // Order is that of `members`.
  std::vector<std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [found, is_new] = indexes.try_emplace(rows[i].row.query, members.size());
    if (is_new) members.emplace_back();
    members[found->second].push_back(i);
  }
  const auto wrong = [&](std::size_t row, std::string_view words) {
    const auto& [outcome, place] = rows[row];
    const std::string line = place.line == 0 ? "" : fmt::format("line {}: ", place.line);
    return fail(Code::kInvalidInput,
                in_file(place.file, fmt::format("{}subtask \"{}\" of query \"{}\" {}.", line,
                                                outcome.subtask, outcome.query, words)));
  };

  for (const std::vector<std::size_t>& query : members) {
    std::map<std::string_view, std::size_t> positions;
    for (std::size_t i = 0; i < query.size(); ++i) {
      if (!positions.try_emplace(rows[query[i]].row.subtask, i).second) {
        return wrong(query[i], "has a row already");
      }
    }
    std::vector<std::vector<std::size_t>> inputs(query.size());
    for (std::size_t i = 0; i < query.size(); ++i) {
      for (const std::string& input : rows[query[i]].row.depends_on) {
        const auto found = positions.find(input);
        if (found == positions.end()) {
          return wrong(query[i], fmt::format("depends on \"{}\", which has no row", input));
        }
        inputs[i].push_back(found->second);
      }
    }
    if (const auto row = row_in_circle(inputs)) {
      return wrong(query[*row], "depends on itself, through others");
    }
  }

  Dataset dataset;
  dataset.rows_.reserve(rows.size());
  for (const std::vector<std::size_t>& query : members) {
    for (const std::size_t row : query) dataset.rows_.push_back(std::move(rows[row].row));
    dataset.begins_.push_back(dataset.rows_.size());
  }
  return dataset;
}

Result<Dataset> Dataset::from(std::vector<OutcomeRow> rows) {
  std::vector<Located> located;
  located.reserve(rows.size());
  for (OutcomeRow& row : rows) located.push_back({std::move(row), {}});
  return group(std::move(located));
}

Result<Dataset> load_outcomes(std::span<const std::filesystem::path> files) {
  std::vector<std::string> names;
  names.reserve(files.size());  // The places point into it.
  std::vector<Dataset::Located> rows;
  for (const std::filesystem::path& file : files) {
    const std::string_view name = names.emplace_back(file.string());
    HF_TRY(const std::string text, read_text_file(file));
    std::string_view rest = text;
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      auto row = wire::read_outcome_line(line, number);
      if (!row) return fail(row.error().code, in_file(name, row.error().message));
      rows.push_back({*std::move(row), {name, number}});
    }
  }
  return Dataset::group(std::move(rows));
}

std::string outcome_text(std::span<const OutcomeRow> rows) {
  std::string text;
  for (const OutcomeRow& row : rows) (text += wire::write_outcome_line(row)) += '\n';
  return text;
}

}  // namespace hf::eval
