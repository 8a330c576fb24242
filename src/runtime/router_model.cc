#include "runtime/router_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "learn/shipped.h"
#include "learn/split.h"
#include "learn/weights.h"
#include "route/features.h"

namespace hf {
namespace {

// A small model is half a megabyte.
constexpr std::uintmax_t kWeightsBytesMax = 64 * 1024 * 1024;

Result<std::string> read_weights(const std::string& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream)
    return fail(Code::kInvalidInput, fmt::format("The weights '{}' cannot be read.", file));
  if (size > kWeightsBytesMax)
    return fail(Code::kInvalidInput, fmt::format("'{}' is too large to be weights.", file));
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

}  // namespace

Result<RouterModel> load_router_model(const std::string& weights) {
  if (weights == kNoWeights) return RouterModel{};
  const bool is_shipped = weights == kShippedWeights;
  std::string content;
  if (!is_shipped) {
    HF_TRY(content, read_weights(weights));
  }
  const std::string_view bytes = is_shipped ? learn::shipped_weights() : content;
  const std::string name = is_shipped ? "the shipped weights" : weights;
  auto model = learn::model_from(bytes);
  if (!model) return fail(model.error().code, fmt::format("{}: {}", name, model.error().message));
  if (model->inputs_version != kInputsVersion) {
    return fail(Code::kInvalidInput,
                fmt::format("{}: they were trained on version {} of the inputs, but this program "
                            "has version {}; train them again with `hybridflow train`.",
                            name, model->inputs_version, kInputsVersion));
  }
  return RouterModel{.model = std::make_shared<const learn::Model>(*std::move(model)),
                     .digest = fmt::format("{:016x}", learn::stable_hash(bytes))};
}

}  // namespace hf
