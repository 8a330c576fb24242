#include "config/table.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

#include "config/config.h"

namespace hf {
namespace {

std::string place(std::string_view file, const toml::source_region& region) {
  return fmt::format("{}:{}:{}", file, region.begin.line, region.begin.column);
}

}  // namespace

struct Table::Data {
  std::shared_ptr<const toml::table> document;  // Keeps `table` alive.
  const toml::table* table = nullptr;
  std::string file;
  std::string name;

  [[nodiscard]] const toml::node* get(std::string_view key) const { return table->get(key); }
  [[nodiscard]] std::string path(std::string_view key) const {
    return name.empty() ? std::string(key) : fmt::format("{}.{}", name, key);
  }
  [[nodiscard]] std::unexpected<Error> error(const toml::node& where, std::string_view what) const {
    return fail(Code::kInvalidInput, fmt::format("{}: {}", place(file, where.source()), what));
  }
  [[nodiscard]] std::unexpected<Error> bad(const toml::node& where, std::string_view key,
                                           std::string_view must_be) const {
    return error(where, fmt::format("'{}' must be {}.", path(key), must_be));
  }
  [[nodiscard]] Result<Duration> duration(const toml::node& node, std::string_view key) const {
    if (!node.is_string()) return bad(node, key, "a duration such as \"20s\"");
    auto parsed = parse_duration(*node.value<std::string>());
    if (!parsed) return bad(node, key, "a duration such as \"250ms\", \"20s\" or \"2m\"");
    return *parsed;
  }

  // Each entry of an array, read by `read(node)`, which answers a Result.
  template <class T, class Read>
  [[nodiscard]] Result<std::vector<T>> each(std::string_view key, std::string_view must_be,
                                            const Read& read) const {
    std::vector<T> values;
    const toml::node* node = get(key);
    if (node == nullptr) return values;
    const toml::array* array = node->as_array();
    if (array == nullptr) return bad(*node, key, must_be);
    for (const toml::node& entry : *array) {
      HF_TRY(T value, read(entry));
      values.push_back(std::move(value));
    }
    return values;
  }
};

Result<Table> Table::parse(std::string_view toml, std::string_view file) {
  try {
    auto document = std::make_shared<const toml::table>(toml::parse(toml, file));
    const toml::table* root = document.get();
    return Table(std::make_shared<const Data>(Data{
        .document = std::move(document), .table = root, .file = std::string(file), .name = {}}));
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalidInput,
                fmt::format("{}: {}", place(file, error.source()), error.description()));
  }
}

Result<void> Table::allow(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, node] : *data_->table) {
    if (std::ranges::find(keys, key.str()) != keys.end()) continue;
    if (key.str() == "api_key") {
      return data_->error(node,
                          "a key must not be in the file; put it in an environment variable and "
                          "name that with api_key_env.");
    }
    return data_->error(node, fmt::format("unknown key '{}'; known here: {}.",
                                          data_->path(key.str()), fmt::join(keys, ", ")));
  }
  return {};
}

Result<std::optional<std::string>> Table::text(std::string_view key) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) return data_->bad(*node, key, "a string");
  return node->value<std::string>();
}

Result<std::optional<std::int64_t>> Table::integer(std::string_view key, std::int64_t low,
                                                   std::int64_t high) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
  if (!value || *value < low || *value > high) {
    return data_->bad(*node, key, fmt::format("a whole number from {} to {}", low, high));
  }
  return value;
}

Result<std::optional<double>> Table::number(std::string_view key, double low, double high) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value >= low && *value <= high)) {
    return data_->bad(*node, key, fmt::format("a number from {} to {}", low, high));
  }
  return value;
}

Result<std::optional<Duration>> Table::duration(std::string_view key) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  return data_->duration(*node, key);
}

Result<std::optional<bool>> Table::flag(std::string_view key) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_boolean()) return data_->bad(*node, key, "true or false");
  return node->value<bool>();
}

Result<std::optional<Table>> Table::table(std::string_view key) const {
  const toml::node* node = data_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_table()) return data_->bad(*node, key, "a table");
  return Table(std::make_shared<const Data>(
      Data{data_->document, node->as_table(), data_->file, data_->path(key)}));
}

Result<std::vector<Table>> Table::tables(std::string_view key) const {
  return data_->each<Table>(
      key, fmt::format("an array of tables: write [[{}]]", data_->path(key)),
      [&](const toml::node& node) -> Result<Table> {
        if (!node.is_table()) return data_->bad(node, key, "a table");
        return Table(std::make_shared<const Data>(
            Data{data_->document, node.as_table(), data_->file, data_->path(key)}));
      });
}

Result<std::vector<std::string>> Table::texts(std::string_view key) const {
  constexpr std::string_view kMustBe = "a string or an array of strings";
  const toml::node* node = data_->get(key);
  if (node != nullptr && node->is_string()) return std::vector{*node->value<std::string>()};
  return data_->each<std::string>(key, kMustBe,
                                  [&](const toml::node& entry) -> Result<std::string> {
                                    if (!entry.is_string()) return data_->bad(entry, key, kMustBe);
                                    return *entry.value<std::string>();
                                  });
}

Result<std::vector<double>> Table::numbers(std::string_view key) const {
  constexpr std::string_view kMustBe = "an array of numbers";
  return data_->each<double>(key, kMustBe, [&](const toml::node& entry) -> Result<double> {
    if (!entry.is_number()) return data_->bad(entry, key, kMustBe);
    return *entry.value<double>();
  });
}

Result<std::vector<Duration>> Table::durations(std::string_view key) const {
  return data_->each<Duration>(key, "an array of durations", [&](const toml::node& entry) {
    return data_->duration(entry, key);
  });
}

bool Table::has(std::string_view key) const {
  return data_->get(key) != nullptr;
}

bool Table::is_table(std::string_view key) const {
  const toml::node* node = data_->get(key);
  return node != nullptr && node->is_table();
}

std::unexpected<Error> Table::error(std::string_view what) const {
  return data_->error(*data_->table, what);
}

std::unexpected<Error> Table::error_at(std::string_view key, std::string_view what) const {
  const toml::node* node = data_->get(key);
  return node == nullptr ? error(what) : data_->error(*node, what);
}

std::unexpected<Error> Table::bad(std::string_view key, std::string_view must_be) const {
  return error_at(key, fmt::format("'{}' must be {}.", data_->path(key), must_be));
}

}  // namespace hf
