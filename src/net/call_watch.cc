#include "net/call_watch.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace hf::net {
namespace {

constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(24 * 20);
constexpr std::chrono::seconds kRetryAfterMax = std::chrono::hours(24 * 365);

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

CallResult late(CallError error, std::string message) {
  CallResult result;
  result.error = error;
  result.message = std::move(message);
  return result;
}

}  // namespace

CallWatch::CallWatch(const Call& call, SteadyTime started)
    : started_(started),
      first_byte_timeout_(bounded(call.first_byte_timeout)),
      gap_timeout_(bounded(call.gap_timeout)),
      total_timeout_(bounded(call.total_timeout)) {}

void CallWatch::end_until(SteadyTime last) {
  total_timeout_ =
      std::min(total_timeout_, std::chrono::ceil<std::chrono::milliseconds>(last - started_));
}

SteadyTime CallWatch::deadline() const {
  const SteadyTime next = has_begun_ ? last_byte_ + gap_timeout_ : started_ + first_byte_timeout_;
  return std::min(next, started_ + total_timeout_);
}

CallResult CallWatch::timed_out() const {
  if (deadline() == started_ + total_timeout_) {
    return late(CallError::kTotalTimeout,
                fmt::format("total timeout: the answer was not complete within {} ms",
                            total_timeout_.count()));
  }
  if (!has_begun_) {
    return late(
        CallError::kFirstByteTimeout,
        fmt::format("first-byte timeout: no answer within {} ms", first_byte_timeout_.count()));
  }
  return late(CallError::kGapTimeout,
              fmt::format("gap timeout: nothing more came within {} ms", gap_timeout_.count()));
}

std::chrono::milliseconds bounded(std::chrono::milliseconds timeout) {
  return std::clamp<std::chrono::milliseconds>(timeout, {}, kTimeoutMax);
}

CallResult connect_timed_out(std::chrono::milliseconds timeout) {
  return late(CallError::kConnectTimeout,
              fmt::format("connect timeout: no connection within {} ms", timeout.count()));
}

bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

void keep_header(CallHead& head, std::string_view name, std::string_view value) {
  constexpr std::string_view kWhole[] = {"x-request-id", "openai-processing-ms"};
  constexpr std::string_view kBegun[] = {"x-ratelimit-", "retry-after"};
  const auto is_whole = [name](std::string_view known) { return is_same_name(name, known); };
  const auto is_begun = [name](std::string_view known) {
    return is_same_name(name.substr(0, known.size()), known);
  };
  if (is_same_name(name, "content-type")) {
    head.content_type = value;
  } else if (std::ranges::any_of(kWhole, is_whole) || std::ranges::any_of(kBegun, is_begun)) {
    auto& kept = head.headers.emplace_back(name, value);
    std::ranges::transform(kept.first, kept.first.begin(), lower);
  }
}

std::optional<Duration> read_retry_after(const std::string& value) {
  std::int64_t seconds = 0;
  const char* const last = value.data() + value.size();
  const auto [end, failed] = std::from_chars(value.data(), last, seconds);
  if (failed == std::errc::invalid_argument || end != last) {
    const std::time_t date = curl_getdate(value.c_str(), nullptr);
    if (date == -1) return std::nullopt;
    seconds = date - std::time(nullptr);
  } else if (failed == std::errc::result_out_of_range) {
    seconds = kRetryAfterMax.count();
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kRetryAfterMax.count()));
}

}  // namespace hf::net
