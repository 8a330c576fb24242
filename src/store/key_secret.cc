#include "store/key_secret.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/assert.h"

namespace hf::store {
namespace {

constexpr std::string_view kBegin = "hf-";
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kSecretBytes = kBegin.size() + (kRandomBytes * 8 + 5) / 6;

// Base64url without padding.
std::string text_of(std::span<const unsigned char> bytes) {
  std::string text;
  unsigned int bits = 0;
  int count = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8U) | byte;
    for (count += 8; count >= 6; count -= 6) {
      text += kDigits[(bits >> static_cast<unsigned int>(count - 6)) & 63U];
    }
  }
  if (count > 0) text += kDigits[(bits << static_cast<unsigned int>(6 - count)) & 63U];
  return text;
}

}  // namespace

Result<std::string> new_secret() {
  std::array<unsigned char, kRandomBytes> bytes{};
  // Up to 256 bytes come whole or not at all.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(Code::kUnavailable, fmt::format("the kernel gives no random bytes for a key: {}",
                                                std::strerror(errno)));
  }
  return std::string(kBegin) + text_of(bytes);
}

bool is_shaped_as_secret(std::string_view text) {
  return text.size() == kSecretBytes && text.starts_with(kBegin) &&
         text.find_first_not_of(kDigits, kBegin.size()) == std::string_view::npos;
}

Digest digest_of(std::string_view secret) {
  Digest digest;
  unsigned int size = 0;
  HF_ASSERT(EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) ==
            1);
  HF_ASSERT(size == digest.size());
  return digest;
}

bool are_equal(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex_of(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    text += kHexDigits[byte >> 4U];
    text += kHexDigits[byte & 15U];
  }
  return text;
}

Digest digest_from(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size() ||
      hex.find_first_not_of(kHexDigits) != std::string_view::npos) {
    return digest;
  }
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const std::size_t high = kHexDigits.find(hex[2 * i]);
    const std::size_t low = kHexDigits.find(hex[2 * i + 1]);
    digest.at(i) = static_cast<unsigned char>(high << 4U | low);
  }
  return digest;
}

}  // namespace hf::store
