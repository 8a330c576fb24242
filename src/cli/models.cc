#include "cli/models.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "catalogue/model.h"
#include "catalogue/pull.h"
#include "catalogue/store.h"
#include "cli/ask.h"
#include "cli/environment.h"

namespace hf::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kBadName = 2;

int refuse(const Error& error, int status) {
  return complain(error.message + ".", status);
}

std::string_view word_for(ModelState state) {
  switch (state) {
    case ModelState::kMissing:
      return "missing";
    case ModelState::kOk:
      return "ok";
    case ModelState::kDamaged:
      break;
  }
  return "damaged";
}

int list_json(const fs::path& directory) {
  boost::json::array models;
  for (const Model& model : catalogue()) {
    models.push_back({{"name", model.name},
                      {"architecture", model.architecture},
                      {"parameters", model.parameters},
                      {"quantization", model.quantization},
                      {"bytes", model.bytes},
                      {"context", model.context},
                      {"chat_template", model.chat_template},
                      {"licence", model.licence},
                      {"sha256", model.sha256},
                      {"repository", model.repository},
                      {"file", model.file},
                      {"path", model_path(directory, model).string()},
                      {"state", word_for(quick_state(directory, model))}});
  }
  const boost::json::object document{
      {"version", 1}, {"directory", directory.string()}, {"models", std::move(models)}};
  fmt::print("{}\n", boost::json::serialize(document));
  return kAnswered;
}

int list(const fs::path& directory) {
  fmt::print("{:<30} {:>8} {:<8} {:>8} {:<11} {}\n", "name", "MB", "format", "context", "licence",
             "here");
  for (const Model& model : catalogue()) {
    const ModelState state = quick_state(directory, model);
    fmt::print("{:<30} {:>8} {:<8} {:>8} {:<11} {}\n", model.name, model.bytes / 1000000,
               model.quantization, model.context, model.licence,
               state == ModelState::kOk        ? "yes"
               : state == ModelState::kMissing ? "no"
                                               : "damaged");
  }
  fmt::print("\nkept in {}\n", directory.string());
  return kAnswered;
}

// One line that renews itself on a terminal, a line per twentieth elsewhere.
class ProgressLine {
 public:
  void show(const PullProgress& progress) {
    const bool fetching = progress.stage == PullStage::kFetching;
    const auto percent = progress.done * 100 / std::max<std::uint64_t>(progress.total, 1);
    const auto mark = (fetching ? 0 : 1000) + (is_terminal_ ? percent : percent / 5);
    if (mark == mark_) return;
    mark_ = mark;
    fmt::print(stderr, "{}{}: {} of {} MB ({} %){}", is_terminal_ ? "\r\x1b[K" : "",
               fetching ? "downloading" : "assembling and verifying", progress.done / 1000000,
               progress.total / 1000000, percent, is_terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

  void end() const {
    if (is_terminal_ && mark_) fmt::print(stderr, "\n");
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::optional<std::uint64_t> mark_;
};

int pull(const Model& model, const fs::path& directory, const ModelsOptions& options) {
  ProgressLine line;
  PullOptions how{.directory = directory};
  if (!options.pip.empty()) how.pip = options.pip;
  how.progress = [&](const PullProgress& progress) { line.show(progress); };
  how.note = [](std::string_view sentence) { fmt::print(stderr, "{}\n", sentence); };
  const Result<fs::path> file = pull_model(model, how);
  line.end();
  if (!file) return refuse(file.error(), kFailed);
  fmt::print("{}\n", file->string());
  return kAnswered;
}

int verify(std::span<const Model> models, const fs::path& directory) {
  int status = kAnswered;
  for (const Model& model : models) {
    const Result<ModelState> state = verified_state(directory, model);
    if (!state) {
      status = refuse(state.error(), kFailed);
      continue;
    }
    fmt::print("{:<30} {}\n", model.name, word_for(*state));
    std::fflush(stdout);
    if (*state == ModelState::kDamaged) status = kFailed;
  }
  return status;
}

int print_path(const std::string& name, const fs::path& directory) {
  const Result<fs::path> file = resolve_model(catalogue(), directory, name);
  if (!file) return refuse(file.error(), kFailed);
  fmt::print("{}\n", file->string());
  return kAnswered;
}

int remove(const Model& model, const fs::path& directory) {
  const Result<bool> removed = remove_model(directory, model);
  if (!removed) return refuse(removed.error(), kFailed);
  fmt::print("{} {}\n", model.name, *removed ? "removed" : "was not on this machine");
  return kAnswered;
}

}  // namespace

int run_models(const ModelsOptions& options) {
  const Result<fs::path> directory = model_directory(options.getenv);
  if (!directory) return refuse(directory.error(), kBadName);
  if (options.action == ModelsAction::kList) {
    return options.json ? list_json(*directory) : list(*directory);
  }
  if (options.action == ModelsAction::kVerify && options.name.empty()) {
    return verify(catalogue(), *directory);
  }
  const Result<Model> model = find_model(catalogue(), options.name);
  if (!model) return refuse(model.error(), kBadName);
  switch (options.action) {
    case ModelsAction::kPull:
      return pull(*model, *directory, options);
    case ModelsAction::kVerify:
      return verify({&*model, 1}, *directory);
    case ModelsAction::kPath:
      return print_path(model->name, *directory);
    case ModelsAction::kRemove:
      return remove(*model, *directory);
    case ModelsAction::kList:
      break;
  }
  return kFailed;
}

}  // namespace hf::cli
