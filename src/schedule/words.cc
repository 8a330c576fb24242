#include <fmt/format.h>

#include "schedule/impl.h"

namespace hf {
namespace {

std::string amount(Axis axis, std::int64_t count) {
  if (axis == Axis::kCloudTokens) return fmt::format("{}", count);
  std::string text = fmt::format("{:.12f}", static_cast<double>(count) / double{kPicoPerUsd});
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return "$" + text;
}

}  // namespace

std::string name_of(std::uint32_t subtask) {
  return fmt::format("subtask #{}", subtask + 1);
}

std::string words_of(const Refusal& refusal) {
  if (!refusal.trouble.empty()) return refusal.trouble;
  const Axis axis = refusal.axis;
  return fmt::format(
      "the {} budget allows {}{}, of which {} is spent and {} held, but {} is needed at worst",
      refusal.scope, amount(axis, refusal.limit), axis == Axis::kCloudTokens ? " cloud tokens" : "",
      amount(axis, refusal.spent), amount(axis, refusal.held), amount(axis, refusal.asked));
}

std::string words_of(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "the call ended without an answer";
    case Failure::kRefused:
      return "it could not be reached";
    case Failure::kRejected:
      return "it rejected the request";
    case Failure::kUnauthorized:
      return "it refused the key";
    case Failure::kNotFound:
      return "it does not know the address or the model";
    case Failure::kRateLimited:
      return "it allows no more requests now";
    case Failure::kOverloaded:
      return "it is overloaded";
    case Failure::kServer:
      return "it failed inside";
    case Failure::kConnectTimeout:
      return "it could not be reached in time";
    case Failure::kFirstTokenTimeout:
      return "it did not answer in time";
    case Failure::kGapTimeout:
      return "its answer stopped";
    case Failure::kTotalTimeout:
      return "its answer took too long";
    case Failure::kCut:
      return "its answer broke off";
    case Failure::kMalformed:
      return "its answer is not what the protocol says";
    case Failure::kEngineLost:
      return "the engine ended";
  }
  return "it failed";
}

std::string seconds(Duration duration) {
  const double count = std::chrono::duration<double>(duration).count();
  return count < 1 ? fmt::format("{:g} ms", count * 1e3) : fmt::format("{:g} s", count);
}

}  // namespace hf
