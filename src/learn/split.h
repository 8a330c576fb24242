// What belongs to training, to calibration and to the test, decided by the query's name alone, so
// that every program and every run agrees; and how a text is recognised again.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hf::learn {

// A hash that never changes between machines and versions (FNV-1a, then mixed); different salts
// give independent hashes.
std::uint64_t stable_hash(std::string_view bytes, std::uint64_t salt = 0);

enum class Split : std::uint8_t { kTrain, kCalibration, kTest };

// Where a query belongs: 60 %, 20 % and 20 % of them.
Split split_of(std::string_view query);

// The query's part of five for cross-fitting, independent of its split.
inline constexpr std::size_t kFolds = 5;
std::size_t fold_of(std::string_view query);

// The short name of a category; never 0.
std::uint32_t category_key(std::string_view category);

// Equal for texts that differ only in case (ASCII) and in how many blanks separate their words.
std::uint64_t fingerprint(std::string_view text);

}  // namespace hf::learn
