#include "learn/corrections.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "learn/bytes.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

constexpr Seal kSeal{"HFCORRE\n", 1, "a saved state of the router's learning"};
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kWeights = kCorrectionInputs;
constexpr std::size_t kCovariances = triangle(kCorrectionInputs, 0);

std::array<double, kCorrectionInputs> inputs_of(double chance) {
  return {1, chance - 0.5};
}

std::unexpected<Error> broken() {
  return fail(Code::kInvalidInput,
              "This is a saved state of the router's learning whose parts do not fit; delete it to "
              "start from the trained weights again.");
}

// The places that are taken, each with its number: where a category is matters to what comes later.
void put(ByteWriter& to, const OnlineState& state) {
  to.u64(state.updates);
  for (std::size_t i = 0; i < kWeights; ++i) to.f64(state.weights[i]);
  for (std::size_t i = 0; i < kCovariances; ++i) to.f64(state.covariance[i]);
  to.count(static_cast<std::size_t>(std::ranges::count_if(
      state.categories, [](const OnlineCategory& each) { return each != OnlineCategory{}; })));
  for (std::size_t i = 0; i < kOnlineCategories; ++i) {
    const OnlineCategory& category = state.categories[i];
    if (category == OnlineCategory{}) continue;
    to.u32(static_cast<std::uint32_t>(i));
    to.u32(category.key);
    to.f64(category.rows);
    to.f64(category.mean);
  }
}

Result<OnlineHead> take(ByteReader& from) {
  OnlineState state;
  state.inputs = kCorrectionInputs;
  state.updates = from.u64();
  for (std::size_t i = 0; i < kWeights; ++i) state.weights[i] = from.f64();
  for (std::size_t i = 0; i < kCovariances; ++i) state.covariance[i] = from.f64();
  constexpr std::size_t kCategoryBytes = 24;
  for (std::size_t left = from.count(kCategoryBytes); left > 0; --left) {
    const std::uint32_t place = from.u32();
    from.require(place < kOnlineCategories);
    if (from.is_broken()) return broken();
    OnlineCategory& category = state.categories[place];
    category.key = from.u32();
    category.rows = from.f64();
    category.mean = from.f64();
  }
  if (from.is_broken()) return broken();
  return OnlineHead::restore(state);
}

Result<std::string> bytes_of(std::string_view text) {
  if (text.size() % 2 != 0) return broken();
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = kDigits.find(text[i]);
    const std::size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return broken();
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace

double corrected(const OnlineHead& head, double chance, std::uint32_t category) {
  return std::clamp(chance + head.correction(inputs_of(chance), category), 0.001, 0.999);
}

void learn_from(OnlineHead& head, double chance, std::uint32_t category, double correct,
                double weight) {
  head.learn(inputs_of(chance), category, correct - chance, weight);
}

std::string to_text(const Corrections& corrections) {
  ByteWriter to;
  put(to, corrections.edge.state());
  put(to, corrections.kept.state());
  put(to, corrections.cloud.state());
  std::string text;
  for (const char c : sealed(kSeal, to.bytes())) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte / 16];
    text += kDigits[byte % 16];
  }
  return text;
}

Result<Corrections> corrections_from(std::string_view text) {
  HF_TRY(const std::string bytes, bytes_of(text));
  HF_TRY(const std::string_view content, opened(kSeal, bytes));
  ByteReader from(content);
  Corrections corrections;
  HF_TRY(corrections.edge, take(from));
  HF_TRY(corrections.kept, take(from));
  HF_TRY(corrections.cloud, take(from));
  if (!from.is_done()) return broken();
  return corrections;
}

}  // namespace hf::learn
