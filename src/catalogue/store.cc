#include "catalogue/store.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "catalogue/gguf.h"
#include "catalogue/layout.h"
#include "catalogue/sha256.h"

namespace hf {
namespace {

namespace fs = std::filesystem;

bool has_gguf_magic(const fs::path& file) {
  std::array<char, 4> magic{};
  std::ifstream in(file, std::ios::binary);
  return in.read(magic.data(), magic.size()) && std::string_view(magic.data(), 4) == "GGUF";
}

Result<fs::path> resolve_path(std::string_view path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return fail(Code::kInvalidInput, fmt::format("there is no model file at {}", path));
  }
  if (const auto whole = check_gguf(path); !whole) {
    return fail(Code::kInvalidInput,
                fmt::format("{} is not a whole GGUF file: {}; fetch it again, or give the path of "
                            "another .gguf model",
                            path, whole.error().message));
  }
  return fs::path(path);
}

}  // namespace

Result<fs::path> model_directory(const Getenv& getenv) {
  const auto variable = [&](const char* name) -> std::optional<fs::path> {
    const char* value = getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return fs::path(value);
  };
  if (const auto models = variable("HYBRIDFLOW_MODELS")) return *models;
  if (const auto cache = variable("HYBRIDFLOW_CACHE")) return *cache / "models";
  if (const auto cache = variable("XDG_CACHE_HOME")) return *cache / "hybridflow" / "models";
  if (const auto home = variable("HOME")) return *home / ".cache" / "hybridflow" / "models";
  return fail(Code::kInvalidInput,
              "there is no place for models: neither HYBRIDFLOW_MODELS nor HOME is set");
}

fs::path model_path(const fs::path& directory, const Model& model) {
  return Layout(directory, model).file;
}

Result<fs::path> resolve_model(std::span<const Model> models, const fs::path& directory,
                               std::string_view name_or_path) {
  Result<Model> model = find_model(models, name_or_path);
  if (!model) {
    const bool is_path = name_or_path.contains('/') || name_or_path.ends_with(".gguf");
    return is_path ? resolve_path(name_or_path) : std::unexpected(std::move(model).error());
  }
  std::string reason = "its size or its first bytes are wrong";
  switch (quick_state(directory, *model)) {
    case ModelState::kOk: {
      const fs::path file = model_path(directory, *model);
      const auto whole = check_gguf(file);
      if (whole) return file;
      reason = whole.error().message;
      break;
    }
    case ModelState::kMissing:
      return fail(Code::kUnavailable,
                  fmt::format("model {0} is not on this machine; run: hybridflow models pull {0}",
                              model->name));
    case ModelState::kDamaged:
      break;
  }
  return fail(Code::kUnavailable,
              fmt::format("the file of model {0} is damaged ({1}); run: hybridflow models pull "
                          "{0}",
                          model->name, reason));
}

ModelState quick_state(const fs::path& directory, const Model& model) {
  const fs::path file = model_path(directory, model);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) return fs::exists(file, error) ? ModelState::kDamaged : ModelState::kMissing;
  return size == model.bytes && has_gguf_magic(file) ? ModelState::kOk : ModelState::kDamaged;
}

Result<ModelState> verified_state(const fs::path& directory, const Model& model) {
  const ModelState state = quick_state(directory, model);
  if (state != ModelState::kOk) return state;
  HF_TRY(const std::string sha256, sha256_of(model_path(directory, model)));
  return sha256 == model.sha256 ? ModelState::kOk : ModelState::kDamaged;
}

Result<bool> remove_model(const fs::path& directory, const Model& model) {
  const Layout layout(directory, model);
  std::error_code error;
  if (!fs::exists(directory, error)) return false;
  HF_TRY(const FileLock lock, FileLock::create(layout.lock));
  if (!lock.try_lock()) {
    return fail(Code::kUnavailable,
                fmt::format("model {} is being pulled at the moment; stop that first", model.name));
  }
  std::uintmax_t removed = 0;
  for (const fs::path& path : {layout.file, layout.partial, layout.parts}) {
    removed += fs::remove_all(path, error);
    if (error) {
      return fail(Code::kUnavailable,
                  fmt::format("{} cannot be deleted: {}", path.string(), error.message()));
    }
  }
  return removed > 0;
}

}  // namespace hf
