// Secrets of keys: made from the kernel's randomness, known afterwards by their digest only.
//
// A plain SHA-256 is right here, where a password would need a slow hash with salt: a secret has
// 256 random bits, so that nobody can try them out, however fast each try is.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::store {

using Digest = std::array<unsigned char, 32>;

// "hf-" and 43 characters of base64url: 32 bytes from getrandom(2).
Result<std::string> new_secret();

// Whether a text is shaped like a secret; whoever sends anything else needs no look-up.
bool is_shaped_as_secret(std::string_view text);

Digest digest_of(std::string_view secret);

// In a time that does not depend on where they differ.
bool are_equal(const Digest& a, const Digest& b);

std::string hex_of(const Digest& digest);
// Of 64 lower-case hexadecimal digits; all zeros, which no secret has, for anything else.
Digest digest_from(std::string_view hex);

}  // namespace hf::store
