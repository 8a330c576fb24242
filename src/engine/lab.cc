#include "engine/lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/rng.h"
#include "wire/json.h"

namespace hf::engine {
namespace {

constexpr std::uint32_t kCutPiecesMax = 8;

std::uint64_t hash(std::string_view text) {
  std::uint64_t state = text.size();
  for (const char c : text) state = mix(state ^ static_cast<unsigned char>(c));
  return state;
}

bool is_complete(const std::vector<wire::ChatPiece>& pieces) {
  return !pieces.empty() && pieces.back().finish_reason && pieces.back().usage;
}

}  // namespace

LabPace::LabPace(const LabOptions& options, TimePoint arrival)
    : due_(arrival + options.round_trip) {
  if (options.tokens_per_second > 0) {
    interval_ = Duration(static_cast<std::int64_t>(1e9 / options.tokens_per_second));
  }
}

TimePoint LabPace::next(TimePoint made) {
  const TimePoint now = std::max(due_, made);
  due_ = now + interval_;
  return now;
}

LabFate lab_fate(const LabOptions& options, std::uint64_t request) {
  Rng rng(mix(request));
  if (rng.unit() >= options.failure_rate) return {};
  if (rng.below(2) == 0) return {.kind = LabFate::Kind::kError, .pieces = 0};
  return {.kind = LabFate::Kind::kCut,
          .pieces = static_cast<std::uint32_t>(rng.below(kCutPiecesMax))};
}

Result<LabCache> LabCache::open(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error || ::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    return fail(Code::kInvalidInput,
                fmt::format("The lab's answers cannot be kept in '{}': it is not a directory that "
                            "can be written.",
                            directory));
  }
  return LabCache(directory);
}

std::string LabCache::key(std::string_view model, wire::ChatRequest request) {
  request.model = model;
  request.stream = false;
  request.include_usage = false;
  request.priority = 0;
  return wire::write_chat_request(request);
}

std::string LabCache::path(const std::string& key) const {
  return fmt::format("{}/{:016x}.jsonl", directory_, hash(key));
}

std::optional<std::vector<wire::ChatPiece>> LabCache::find(const std::string& key) const {
  std::ifstream file(path(key));
  std::string line;
  // The request is compared in full: two may have one hash.
  if (!std::getline(file, line) || line != key) return std::nullopt;
  std::vector<wire::ChatPiece> pieces;
  while (std::getline(file, line)) {
    Result<wire::ChatPiece> piece = wire::read_chat_chunk(line);
    if (!piece) return std::nullopt;
    pieces.push_back(*std::move(piece));
  }
  if (!is_complete(pieces)) return std::nullopt;
  return pieces;
}

Result<void> LabCache::keep(const std::string& key,
                            const std::vector<wire::ChatPiece>& pieces) const {
  if (!is_complete(pieces)) return fail(Code::kInternal, "An unfinished answer is not kept.");
  const std::string final_path = path(key);
  const std::string temporary = fmt::format("{}.{}.tmp", final_path, ::getpid());
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << key << '\n';
    for (const wire::ChatPiece& piece : pieces)
      file << wire::write_chat_chunk(piece, false) << '\n';
    file.flush();
    if (!file) {
      return fail(Code::kUnavailable, fmt::format("'{}' cannot be written.", temporary));
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, final_path, error);
  if (error) return fail(Code::kUnavailable, fmt::format("'{}' cannot be replaced.", final_path));
  return {};
}

}  // namespace hf::engine
