// Takes one member out of a wheel (a zip archive), as a stream.
//
// Believes nothing the archive says about itself: every offset and size is checked against the
// file, and the output against the size the catalogue expects. Knows the two methods wheels use
// (stored, deflate); no encryption, no archives above 4 GB.
//
// Thread safety: free function, no shared state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace hf {

// Takes a piece of the member; an error stops the extraction and is passed on.
using ByteSink = std::function<Result<void>(std::span<const char>)>;

// Hands the member's bytes to `sink` in order: exactly `bytes` of them, or an error. What was
// handed out before an error is worthless.
Result<void> extract_member(const std::filesystem::path& wheel, std::string_view member,
                            std::uint64_t bytes, const ByteSink& sink);

}  // namespace hf
