#include "catalogue/model.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/assert.h"
#include "catalogue/embedded.h"

namespace hf {
namespace {

constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40U;

// Reads the keys of one table and remembers the first thing that is wrong with it.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string where)
      : table_(table), where_(std::move(where)) {}

  std::string text(std::string_view key) {
    const auto value = table_[key].value_exact<std::string>();
    if (!value || value->empty()) fault(fmt::format("needs the text '{}'", key));
    return value.value_or("");
  }

  std::uint64_t count(std::string_view key) {
    const auto value = table_[key].value_exact<std::int64_t>();
    if (!value || *value <= 0 || static_cast<std::uint64_t>(*value) > kBytesMax) {
      fault(fmt::format("needs the positive number '{}'", key));
      return 0;
    }
    return static_cast<std::uint64_t>(*value);
  }

  // A text that becomes part of a file name or of a command line.
  std::string word(std::string_view key) {
    std::string value = text(key);
    const bool is_plain = std::ranges::all_of(value, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    });
    if (!is_plain || value.starts_with('.') || value.starts_with('-')) {
      fault(
          fmt::format("has a '{}' with characters other than letters, digits, '-', '_', '.'", key));
    }
    return value;
  }

  std::string sha256(std::string_view key) {
    std::string value = text(key);
    if (value.size() != 64 || value.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fault(fmt::format("has a '{}' that is not 64 lower-case hexadecimal digits", key));
    }
    return value;
  }

  void allow_only(std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : table_) {
      if (std::ranges::find(keys, key.str()) == keys.end()) {
        fault(fmt::format("has the unknown key '{}'", key.str()));
      }
    }
  }

  void fault(std::string what) {
    if (fault_.empty()) fault_ = fmt::format("model catalogue: {} {}", where_, what);
  }

  [[nodiscard]] const std::string& first_fault() const { return fault_; }

 private:
  const toml::table& table_;
  std::string where_;
  std::string fault_;
};

Result<ModelPart> read_part(const toml::table& table, std::string where) {
  TableReader reader(table, std::move(where));
  reader.allow_only({"package", "version", "bytes", "sha256", "member", "member_bytes"});
  ModelPart part{.package = reader.word("package"),
                 .version = reader.word("version"),
                 .bytes = reader.count("bytes"),
                 .sha256 = reader.sha256("sha256"),
                 .member = reader.text("member"),
                 .member_bytes = reader.count("member_bytes")};
  if (!reader.first_fault().empty()) return fail(Code::kInvalidInput, reader.first_fault());
  return part;
}

Result<Model> read_model(const toml::table& table, std::size_t number) {
  TableReader reader(table, fmt::format("model {}", number));
  reader.allow_only({"name", "architecture", "parameters", "quantization", "bytes", "sha256",
                     "licence", "chat_template", "context", "repository", "file", "part"});
  Model model{.name = reader.word("name"),
              .architecture = reader.word("architecture"),
              .parameters = reader.count("parameters"),
              .quantization = reader.word("quantization"),
              .bytes = reader.count("bytes"),
              .sha256 = reader.sha256("sha256"),
              .licence = reader.text("licence"),
              .chat_template = reader.word("chat_template"),
              .context = reader.count("context"),
              .repository = reader.text("repository"),
              .file = reader.word("file"),
              .parts = {}};
  const toml::array* parts = table["part"].as_array();
  if (parts == nullptr || parts->empty() || !parts->is_homogeneous<toml::table>()) {
    reader.fault("needs at least one [[model.part]]");
  }
  if (!reader.first_fault().empty()) return fail(Code::kInvalidInput, reader.first_fault());

  std::uint64_t together = 0;
  for (const toml::node& node : *parts) {
    const std::string where = fmt::format("{} part {}", model.name, model.parts.size() + 1);
    HF_TRY(ModelPart part, read_part(*node.as_table(), where));
    together += part.member_bytes;
    model.parts.push_back(std::move(part));
  }
  if (together != model.bytes) {
    return fail(Code::kInvalidInput,
                fmt::format("model catalogue: the parts of {} have {} bytes together, not {}",
                            model.name, together, model.bytes));
  }
  return model;
}

}  // namespace

Result<std::vector<Model>> parse_catalogue(std::string_view toml) {
  toml::table root;
  try {
    root = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalidInput, fmt::format("model catalogue: line {}: {}",
                                                 error.source().begin.line, error.description()));
  }
  const toml::array* tables = root["model"].as_array();
  if (root.size() != 1 || tables == nullptr || !tables->is_homogeneous<toml::table>()) {
    return fail(Code::kInvalidInput, "model catalogue: it must hold [[model]] tables only");
  }

  std::vector<Model> models;
  for (const toml::node& node : *tables) {
    HF_TRY(Model model, read_model(*node.as_table(), models.size() + 1));
    if (std::ranges::find(models, model.name, &Model::name) != models.end()) {
      return fail(Code::kInvalidInput,
                  fmt::format("model catalogue: {} is there twice", model.name));
    }
    models.push_back(std::move(model));
  }
  return models;
}

std::span<const Model> catalogue() {
  static const std::vector<Model> models = [] {
    Result<std::vector<Model>> parsed = parse_catalogue(embedded_catalogue());
    HF_ASSERT(parsed.has_value());
    return *std::move(parsed);
  }();
  return models;
}

Result<Model> find_model(std::span<const Model> models, std::string_view name) {
  const auto found = std::ranges::find(models, name, &Model::name);
  if (found != models.end()) return *found;
  std::string names;
  for (const Model& model : models) {
    if (!names.empty()) names += ", ";
    names += model.name;
  }
  return fail(Code::kInvalidInput,
              fmt::format("there is no model called '{}'; the known ones are {}", name, names));
}

}  // namespace hf
