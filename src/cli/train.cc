#include "cli/train.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "eval/outcomes.h"
#include "eval/report.h"
#include "eval/text_file.h"
#include "eval/training.h"
#include "learn/weights.h"

namespace hf::cli {

int run_train(const TrainOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  const std::vector<std::filesystem::path> files(options.outcomes.begin(), options.outcomes.end());
  for (const std::filesystem::path& file : files) {
    if (!eval::names_same_file(file, options.out)) continue;
    return complain(
        fmt::format("--out would replace '{}', which it is to train from.", file.string()),
        kBadUsage);
  }
  const auto dataset = eval::load_outcomes(files);
  if (!dataset) return complain(dataset.error().message, kBadUsage);
  const auto trained = eval::train_on(*dataset, files, options.seed);
  if (!trained) return complain(trained.error().message, kBadUsage);
  const std::string bytes = learn::to_bytes(trained->model);
  if (const auto written = eval::write_text_file(options.out, bytes); !written) {
    return complain(written.error().message, kFailed);
  }
  if (!options.report.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.report, error);
    const auto written = eval::write_text_file(std::filesystem::path(options.report) / "index.html",
                                               eval::training_page(*trained));
    if (!written) return complain(written.error().message, kFailed);
  }
  show(stdout, eval::training_text(*trained));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  fmt::print(stderr, "{}: {} bytes in {:.1f} s\n", options.out, bytes.size(), took.count());
  return finish_output(kAnswered);
}

}  // namespace hf::cli
