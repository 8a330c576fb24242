// The lab: a local model that stands in for a cloud. It adds the cloud's round trip, pace and
// failures, and can keep answers on disk so that a timing run does not pay for the stand-in.
// Nothing here knows a model, a socket or a clock. Thread safety: none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "wire/chat.h"

namespace hf::engine {

struct LabOptions {
  std::chrono::milliseconds round_trip{0};  // Before the first byte, all of it.
  double tokens_per_second = 0;             // Pieces come no faster; 0: as they are made.
  double failure_rate = 0;                  // 0 to 1, of all requests.
  std::string cache_directory;              // Empty: no answers are kept.

  [[nodiscard]] bool is_lab() const {
    return round_trip.count() > 0 || tokens_per_second > 0 || failure_rate > 0 ||
           !cache_directory.empty();
  }
};

// When the pieces of one answer may leave. On average no faster than the rate.
class LabPace {
 public:
  LabPace(const LabOptions& options, TimePoint arrival);

  // The time of the next piece, which exists since `made`. Call once a piece, in order.
  TimePoint next(TimePoint made);

 private:
  Duration interval_{0};
  TimePoint due_;
};

// What is to go wrong with the n-th request; the same for the same n and rate.
struct LabFate {
  enum class Kind : std::uint8_t { kFine, kError, kCut };
  Kind kind = Kind::kFine;
  std::uint32_t pieces = 0;  // For kCut: sent before the connection closes.
};
LabFate lab_fate(const LabOptions& options, std::uint64_t request);

// Answers on disk, one file each: a line with the request, then a line for each piece.
class LabCache {
 public:
  // Makes the directory if needed. One that cannot be used is kInvalidInput.
  static Result<LabCache> open(const std::string& directory);

  // What identifies an answer: the model that gives it and everything of the request but how it is
  // delivered.
  static std::string key(std::string_view model, wire::ChatRequest request);

  // The pieces of the answer; nullopt if it is not there or damaged.
  [[nodiscard]] std::optional<std::vector<wire::ChatPiece>> find(const std::string& key) const;
  // Keeps an answer whose last piece has finish_reason and usage; replaces the file in one go.
  [[nodiscard]] Result<void> keep(const std::string& key,
                                  const std::vector<wire::ChatPiece>& pieces) const;

 private:
  explicit LabCache(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] std::string path(const std::string& key) const;

  std::string directory_;
};

}  // namespace hf::engine
