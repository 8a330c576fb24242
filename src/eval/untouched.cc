#include "eval/untouched.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace hf::eval {
namespace {

constexpr std::array<std::string_view, 4> kParts = {"train", "calibration", "test", "all"};

bool is_in(Part part, std::string_view query) {
  return part == Part::kAll ||
         static_cast<std::size_t>(learn::split_of(query)) == static_cast<std::size_t>(part);
}

}  // namespace

std::optional<Part> part_named(std::string_view name) {
  const auto found = std::ranges::find(kParts, name);
  if (found == kParts.end()) return std::nullopt;
  return static_cast<Part>(found - kParts.begin());
}

Result<Chosen> untouched(const Dataset& dataset, Part part, const learn::Model* model) {
  const auto is_seen = [&](const OutcomeRow& row) {
    return model != nullptr && learn::has_seen(*model, row.text);
  };
  Chosen chosen;
  std::vector<OutcomeRow> kept;
  std::size_t seen = 0;
  std::size_t rows = 0;
  for (std::size_t q = 0; q < dataset.queries(); ++q) {
    const std::span<const OutcomeRow> query = dataset.query(q);
    if (!is_in(part, query.front().query)) continue;
    rows += query.size();
    const auto known = static_cast<std::size_t>(std::ranges::count_if(query, is_seen));
    seen += known;
    if (known == 0) {
      kept.insert(kept.end(), query.begin(), query.end());
    } else {
      chosen.rows_left_out += query.size();
    }
  }
  if (seen > 0 && part != Part::kTest) {
    return fail(Code::kInvalidInput,
                fmt::format("{} of {} subtasks were in the training or calibration set of the "
                            "weights; give outcomes that they have not seen, --split test for what "
                            "training left aside, or other weights.",
                            seen, rows));
  }
  if (kept.empty()) {
    return fail(
        Code::kInvalidInput,
        fmt::format("No query is left to evaluate: of {} subtasks in the files, {} are of "
                    "the {} part and the weights have seen {} of these.",
                    dataset.rows().size(), rows, kParts[static_cast<std::size_t>(part)], seen));
  }
  HF_TRY(chosen.dataset, Dataset::from(std::move(kept)));
  return chosen;
}

}  // namespace hf::eval
