#include "store/key_ring.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hf::store {
namespace {

std::uint64_t begin_of(const Digest& digest) {
  std::uint64_t begin = 0;
  std::memcpy(&begin, digest.data(), sizeof begin);
  return begin;
}

std::uint64_t begin_of_entry(const KeyRing::Entry& entry) {
  return begin_of(entry.digest);
}

}  // namespace

KeyRing::KeyRing(std::vector<Entry> entries, std::int64_t generation)
    : entries_(std::move(entries)), generation_(generation) {
  std::ranges::sort(entries_, {}, begin_of_entry);
}

const Key* KeyRing::find(std::string_view secret, std::int64_t now) const {
  if (!is_shaped_as_secret(secret)) return nullptr;
  const Digest digest = digest_of(secret);
  for (const Entry& entry :
       std::ranges::equal_range(entries_, begin_of(digest), {}, begin_of_entry)) {
    if (!are_equal(entry.digest, digest)) continue;
    return state_of(entry.key, now) == KeyState::kUsable ? &entry.key : nullptr;
  }
  return nullptr;
}

}  // namespace hf::store
