#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "eval/import.h"
#include "eval/text_file.h"
#include "wire/question_lines.h"

namespace hf::eval {
namespace {

constexpr std::string_view kRightColumn = "|ok";
constexpr std::int64_t kCharactersMax = 100'000'000;

Result<CsvTable> read_table(const std::filesystem::path& path) {
  HF_TRY(const std::string text, read_text_file(path));
  return CsvTable::read(text, path.string());
}

Result<std::unordered_map<std::string, std::string>> read_prompts(
    const std::filesystem::path& path) {
  HF_TRY(const std::string text, read_text_file(path));
  std::unordered_map<std::string, std::string> prompts;  // Only looked up, never gone through.
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) continue;
    auto question = wire::read_choice_question(line, number);
    if (!question) {
      return fail(question.error().code,
                  fmt::format("{}: {}", path.string(), question.error().message));
    }
    if (!prompts.try_emplace(question->id, wire::choice_text(question->question, question->options))
             .second) {
      return fail(Code::kInvalidInput, fmt::format("{}: line {}: question {} is there already.",
                                                   path.string(), number, question->id));
    }
  }
  return prompts;
}

// Where the results of one model are.
struct Column {
  std::string model;
  Tier tier = Tier::kEdge;
  std::size_t right = 0;
  std::size_t characters = 0;
  std::size_t letter = 0;  // In the table of predictions.
};

class Importer {
 public:
  Importer(const CsvTable& outcomes, const CsvTable& predictions)
      : outcomes_(outcomes), predictions_(predictions) {}

  Result<void> find_columns(const MmluProArms& arms) {
    HF_TRY(id_, outcomes_.column("question_id"));
    HF_TRY(category_, outcomes_.column("category"));
    HF_CHECK(add(arms.edge, Tier::kEdge));
    for (const std::string& voter : arms.voters) HF_CHECK(add(voter, Tier::kEdge));
    HF_CHECK(add(arms.cloud, Tier::kCloud));
    HF_TRY(const std::size_t id, predictions_.column("question_id"));
    for (std::size_t row = 0; row < predictions_.rows(); ++row) {
      if (!letters_.try_emplace(predictions_.at(row, id), row).second) {
        return predictions_.wrong(row, id, "this question is there already.");
      }
    }
    return {};
  }

  Result<std::vector<OutcomeRow>> rows(const std::unordered_map<std::string, std::string>& prompts,
                                       const ImportOptions& options) const {
    std::vector<OutcomeRow> rows;
    rows.reserve(outcomes_.rows());
    for (std::size_t i = 0; i < outcomes_.rows(); ++i) {
      OutcomeRow row;
      row.query = outcomes_.at(i, id_);
      row.category = outcomes_.at(i, category_);
      const auto prompt = prompts.find(row.query);
      if (prompt == prompts.end()) return outcomes_.wrong(i, id_, "the questions do not have it.");
      row.text = prompt->second;
      const auto letters = letters_.find(row.query);
      if (letters == letters_.end()) {
        return outcomes_.wrong(i, id_, "the predictions do not have it.");
      }
      for (const Column& column : columns_) {
        HF_TRY(auto answer, read_answer(i, letters->second, column));
        if (!answer) continue;
        row.arms.push_back(arm_of(*std::move(answer), row.text.size(), options));
      }
      if (!row.arms.empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  Result<void> add(const std::string& model, Tier tier) {
    if (std::ranges::find(columns_, model, &Column::model) != columns_.end()) {
      return fail(Code::kInvalidInput,
                  fmt::format("The model {} is to play two parts; give each another one.", model));
    }
    Column column{.model = model, .tier = tier};
    HF_TRY(column.right, outcomes_.column(fmt::format("{}{}", model, kRightColumn)));
    HF_TRY(column.characters, outcomes_.column(model + "|chars"));
    HF_TRY(column.letter, predictions_.column(model));
    columns_.push_back(std::move(column));
    return {};
  }

  Result<std::optional<RecordedAnswer>> read_answer(std::size_t row, std::size_t letters,
                                                    const Column& column) const {
    if (outcomes_.at(row, column.right).empty()) return std::nullopt;
    RecordedAnswer answer{.model = column.model, .tier = column.tier};
    HF_TRY(const std::int64_t right, outcomes_.integer(row, column.right, 0, 1));
    answer.correct = static_cast<double>(right);
    HF_TRY(const std::int64_t characters,
           outcomes_.integer(row, column.characters, 0, kCharactersMax));
    answer.completion = tokens_of(characters);
    const std::string_view letter = predictions_.at(letters, column.letter);
    if (letter != "-" && (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'Z')) {
      return predictions_.wrong(letters, column.letter, "this is neither a letter nor \"-\".");
    }
    answer.output = letter == "-" ? "" : letter;
    return answer;
  }

  const CsvTable& outcomes_;
  const CsvTable& predictions_;
  std::size_t id_ = 0;
  std::size_t category_ = 0;
  std::vector<Column> columns_;
  std::map<std::string_view, std::size_t> letters_;  // Row of each question in the predictions.
};

}  // namespace

Result<std::vector<OutcomeRow>> import_mmlu_pro(const MmluProFiles& files, const MmluProArms& arms,
                                                const ImportOptions& options) {
  HF_TRY(const CsvTable outcomes, read_table(files.outcomes));
  HF_TRY(const CsvTable predictions, read_table(files.predictions));
  Importer importer(outcomes, predictions);
  HF_CHECK(importer.find_columns(arms));
  HF_TRY(const auto prompts, read_prompts(files.questions));
  return importer.rows(prompts, options);
}

Result<std::vector<std::string>> mmlu_pro_models(const std::filesystem::path& outcomes) {
  HF_TRY(const CsvTable table, read_table(outcomes));
  std::vector<std::string> models;
  for (const std::string& name : table.header()) {
    if (name.ends_with(kRightColumn))
      models.emplace_back(name, 0, name.size() - kRightColumn.size());
  }
  return models;
}

}  // namespace hf::eval
