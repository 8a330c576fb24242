// All keys that may be used, in memory: what the server asks at every request.
//
// A snapshot of a KeyStore; it does not change, a new one takes its place. Thread safety: full.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/key_secret.h"
#include "store/key_spec.h"

namespace hf::store {

class KeyRing {
 public:
  struct Entry {
    Digest digest;
    Key key;
  };

  KeyRing() = default;
  // `generation` is that of the store when it had these keys (KeyStore::generation).
  KeyRing(std::vector<Entry> entries, std::int64_t generation);

  // The key with this secret if it may be used at `now`; null if it is unknown, revoked or expired.
  // It lives as long as the ring.
  //
  // The time this takes says nothing about any stored secret: what is searched for is the digest of
  // what the asker sent, which nobody can steer towards another, and digests that are alike in
  // their first bytes are compared in constant time.
  [[nodiscard]] const Key* find(std::string_view secret, std::int64_t now) const;

  [[nodiscard]] std::int64_t generation() const { return generation_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;  // By the first eight bytes of the digest.
  std::int64_t generation_ = 0;
};

}  // namespace hf::store
