#include "eval/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/number.h"

namespace hf::eval {
namespace {

// One field after another; knows the place for messages.
class Scanner {
 public:
  Scanner(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  // All fields of one row, and what ends it.
  Result<std::vector<std::string>> row() {
    std::vector<std::string> fields;
    do {
      HF_TRY(std::string field, next_field(fields.size() + 1));
      fields.push_back(std::move(field));
    } while (take(","));
    if (take("\n") || take("\r\n")) ++line_;
    return fields;
  }

 private:
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  [[nodiscard]] bool is_at_field_end() const {
    return rest_.empty() || rest_[0] == ',' || rest_[0] == '\n' || rest_.starts_with("\r\n");
  }

  [[nodiscard]] std::unexpected<Error> wrong(std::size_t line, std::size_t column,
                                             std::string_view sentence) const {
    return fail(Code::kInvalidInput,
                fmt::format("{}: line {}, column {}: {}", file_, line, column, sentence));
  }

  Result<std::string> next_field(std::size_t column) {
    return take("\"") ? quoted_field(column) : plain_field(column);
  }

  Result<std::string> plain_field(std::size_t column) {
    std::size_t size = std::min(rest_.find_first_of(",\n\""), rest_.size());
    if (size < rest_.size() && rest_[size] == '"') {
      return wrong(line_, column, "a quote stands inside a field that does not begin with one.");
    }
    if (size > 0 && rest_[size - 1] == '\r' && rest_.substr(size).starts_with('\n')) --size;
    std::string field(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return field;
  }

  Result<std::string> quoted_field(std::size_t column) {
    const std::size_t begin = line_;
    std::string field;
    while (true) {
      const std::size_t size = rest_.find('"');
      if (size == std::string_view::npos) {
        return wrong(begin, column, "the quote that opens this field is never closed.");
      }
      const std::string_view part = rest_.substr(0, size);
      line_ += static_cast<std::size_t>(std::ranges::count(part, '\n'));
      field += part;
      rest_.remove_prefix(size + 1);
      if (!take("\"")) break;
      field += '"';
    }
    if (!is_at_field_end()) {
      return wrong(line_, column, "text follows the quote that closes this field.");
    }
    return field;
  }

  std::string_view rest_;
  std::string_view file_;
  std::size_t line_ = 1;
};

}  // namespace

Result<CsvTable> CsvTable::read(std::string_view text, std::string file) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // Some programs mark UTF-8 so.
  if (text.empty()) {
    return fail(Code::kInvalidInput,
                fmt::format("{} is empty; its first line names the columns.", file));
  }
  CsvTable table;
  table.file_ = std::move(file);
  Scanner scanner(text, table.file_);
  HF_TRY(table.header_, scanner.row());
  std::set<std::string_view> names;
  for (const std::string& name : table.header_) {
    if (names.insert(name).second) continue;
    return fail(Code::kInvalidInput,
                fmt::format("{}: line 1: two columns are named \"{}\".", table.file_, name));
  }
  while (!scanner.is_at_end()) {
    const std::size_t line = scanner.line();
    HF_TRY(auto fields, scanner.row());
    if (fields.size() != table.header_.size()) {
      return fail(Code::kInvalidInput,
                  fmt::format("{}: line {}: there are {} fields, but {} columns.", table.file_,
                              line, fields.size(), table.header_.size()));
    }
    table.lines_.push_back(line);
    std::ranges::move(fields, std::back_inserter(table.fields_));
  }
  return table;
}

Result<std::size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::ranges::find(header_, name);
  if (found == header_.end()) {
    return fail(Code::kInvalidInput, fmt::format("{} has no column \"{}\"; it has \"{}\".", file_,
                                                 name, fmt::join(header_, "\", \"")));
  }
  return static_cast<std::size_t>(found - header_.begin());
}

Result<std::int64_t> CsvTable::integer(std::size_t row, std::size_t column, std::int64_t low,
                                       std::int64_t high) const {
  const std::string_view field = at(row, column);
  const auto number = parse_number<std::int64_t>(field);
  if (!number || *number < low || *number > high) {
    return wrong(row, column,
                 fmt::format("\"{:.40}\" is no whole number from {} to {}.", field, low, high));
  }
  return *number;
}

std::unexpected<Error> CsvTable::wrong(std::size_t row, std::size_t column,
                                       std::string_view sentence) const {
  return fail(Code::kInvalidInput, fmt::format("{}: line {}, column \"{}\": {}", file_, lines_[row],
                                               header_[column], sentence));
}

}  // namespace hf::eval
