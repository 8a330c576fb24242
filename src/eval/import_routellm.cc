#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/rng.h"
#include "eval/import.h"
#include "eval/text_file.h"

namespace hf::eval {
namespace {

constexpr std::string_view kEdgeModel = "Mixtral-8x7B-Instruct-v0.1";
constexpr std::string_view kCloudModel = "gpt-4-1106-preview";
constexpr Tokens kLetterTokens(8);  // MMLU has no lengths: the answer is one letter.
constexpr std::int64_t kAnswerCharactersMax = 100'000'000;

// FNV-1a over the text in lower case with each run of blanks as one.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U; };
  bool is_blank = true;
  for (const char c : text) {
    const bool was_blank = std::exchange(is_blank, c == ' ' || (c >= '\t' && c <= '\r'));
    if (!is_blank) {
      add(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    } else if (!was_blank) {
      add(' ');
    }
  }
  return mix(hash);
}

// What differs between the two files.
struct Source {
  std::string_view name;
  std::string_view category_column = {};  // "" for one category, which is `category`.
  std::string_view category = {};
  bool has_lengths = false;
};

struct Columns {
  std::size_t prompt = 0;
  std::size_t category = 0;
  std::size_t right[2] = {};
  std::size_t characters[2] = {};
};

Result<Columns> find_columns(const CsvTable& table, const Source& source) {
  Columns columns;
  HF_TRY(columns.prompt, table.column("prompt"));
  HF_TRY(columns.right[0], table.column("edge"));
  HF_TRY(columns.right[1], table.column("cloud"));
  if (!source.category_column.empty()) {
    HF_TRY(columns.category, table.column(source.category_column));
  }
  if (source.has_lengths) {
    HF_TRY(columns.characters[0], table.column("edge_chars"));
    HF_TRY(columns.characters[1], table.column("cloud_chars"));
  }
  return columns;
}

Result<std::vector<OutcomeRow>> import(const std::filesystem::path& file, const Source& source,
                                       const ImportOptions& options) {
  HF_TRY(const std::string text, read_text_file(file));
  HF_TRY(const CsvTable table, CsvTable::read(text, file.string()));
  HF_TRY(const Columns columns, find_columns(table, source));

  std::vector<OutcomeRow> rows;
  rows.reserve(table.rows());
  std::map<std::string, std::size_t> times;  // How often each query has come.
  for (std::size_t i = 0; i < table.rows(); ++i) {
    OutcomeRow row;
    row.text = table.at(i, columns.prompt);
    row.query = fmt::format("{}-{:016x}", source.name, hash_of(row.text));
    row.subtask = std::to_string(++times[row.query]);
    row.category = source.category_column.empty() ? source.category : table.at(i, columns.category);
    for (const Tier tier : {Tier::kEdge, Tier::kCloud}) {
      const auto side = static_cast<std::size_t>(tier);
      RecordedAnswer answer{.model = std::string(tier == Tier::kEdge ? kEdgeModel : kCloudModel),
                            .tier = tier,
                            .completion = kLetterTokens};
      HF_TRY(const std::int64_t right, table.integer(i, columns.right[side], 0, 1));
      answer.correct = static_cast<double>(right);
      if (source.has_lengths) {
        HF_TRY(const std::int64_t characters,
               table.integer(i, columns.characters[side], 0, kAnswerCharactersMax));
        answer.completion = tokens_of(characters);
      }
      row.arms.push_back(arm_of(std::move(answer), row.text.size(), options));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Result<std::vector<OutcomeRow>> import_routellm_mmlu(const std::filesystem::path& file,
                                                     const ImportOptions& options) {
  return import(file, {.name = "routellm-mmlu", .category_column = "subject"}, options);
}

Result<std::vector<OutcomeRow>> import_routellm_gsm8k(const std::filesystem::path& file,
                                                      const ImportOptions& options) {
  return import(file,
                {.name = "routellm-gsm8k", .category = "grade school math", .has_lengths = true},
                options);
}

}  // namespace hf::eval
