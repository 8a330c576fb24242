// Goal: a secret finds its own key and nothing else finds any; what is kept of it is its digest.
// Method: real secrets, altered ones, and digests whose first bytes collide.
#include "store/key_ring.h"

#include <gtest/gtest.h>

#include <set>

namespace hf::store {
namespace {

constexpr std::int64_t kNoon = 1'000;

std::string fresh_secret() {
  const auto secret = new_secret();
  EXPECT_TRUE(secret);
  return secret.value_or("");
}

KeyRing::Entry entry_of(std::string_view secret, const std::string& name) {
  KeyRing::Entry entry{digest_of(secret), {}};
  entry.key.name = name;
  return entry;
}

TEST(KeySecret, SecretsAreOf256RandomBitsAndNeverAlike) {
  std::set<std::string> seen;
  std::set<char> last_digits;
  for (int i = 0; i < 1'000; ++i) {
    const std::string secret = fresh_secret();
    EXPECT_EQ(secret.size(), 46U);
    EXPECT_TRUE(secret.starts_with("hf-"));
    EXPECT_TRUE(is_shaped_as_secret(secret)) << secret;
    seen.insert(secret);
    last_digits.insert(secret.back());
  }
  EXPECT_EQ(seen.size(), 1'000U);
  // 32 bytes leave four bits for the last of 43 digits.
  EXPECT_EQ(last_digits.size(), 16U);
}

TEST(KeySecret, OnlyTheShapeOfASecretIsLookedUp) {
  const std::string secret = fresh_secret();
  for (const std::string& other :
       {std::string(), std::string("hf-"), secret + "A", secret.substr(0, 45),
        "sk-" + secret.substr(3), "hf-" + std::string(42, 'A') + "=",
        "hf-" + std::string(42, 'A') + '\0'}) {
    EXPECT_FALSE(is_shaped_as_secret(other)) << other;
  }
}

TEST(KeySecret, ADigestIsSha256) {
  EXPECT_EQ(hex_of(digest_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(KeySecret, ADigestComesBackFromItsText) {
  const Digest digest = digest_of("abc");
  EXPECT_TRUE(are_equal(digest_from(hex_of(digest)), digest));
  for (const std::string& other : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                                   std::string(64, 'g'), std::string(64, 'A')}) {
    EXPECT_EQ(digest_from(other), Digest{}) << other;
  }
}

TEST(KeyRing, EachSecretFindsItsKey) {
  std::vector<KeyRing::Entry> entries;
  std::vector<std::string> secrets;
  for (int i = 0; i < 300; ++i) {
    secrets.push_back(fresh_secret());
    entries.push_back(entry_of(secrets.back(), std::to_string(i)));
  }
  const KeyRing ring(std::move(entries), 5);
  EXPECT_EQ(ring.generation(), 5);
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    const Key* key = ring.find(secrets[i], kNoon);
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(key->name, std::to_string(i));
  }
}

TEST(KeyRing, ASecretWithAnyOtherCharacterFindsNothing) {
  const std::string secret = fresh_secret();
  const KeyRing ring({entry_of(secret, "alice")}, 1);
  for (std::size_t i = 0; i < secret.size(); ++i) {
    std::string other = secret;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(ring.find(other, kNoon), nullptr) << i;
  }
  EXPECT_EQ(ring.find("", kNoon), nullptr);
  EXPECT_EQ(ring.find(hex_of(digest_of(secret)), kNoon), nullptr);
  EXPECT_EQ(KeyRing().find(secret, kNoon), nullptr);
}

TEST(KeyRing, DigestsThatBeginAlikeAreToldApart) {
  const std::string secret = fresh_secret();
  KeyRing::Entry before = entry_of(secret, "before");
  KeyRing::Entry after = entry_of(secret, "after");
  before.digest.back() ^= 1U;
  after.digest.at(8) ^= 0x80U;
  const KeyRing ring({before, entry_of(secret, "alice"), after}, 1);
  const Key* key = ring.find(secret, kNoon);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->name, "alice");
  EXPECT_EQ(KeyRing({before, after}, 1).find(secret, kNoon), nullptr);
}

TEST(KeyRing, AKeyThatMayNotBeUsedIsNotFound) {
  const std::string secret = fresh_secret();
  KeyRing::Entry expiring = entry_of(secret, "alice");
  expiring.key.expires_at = kNoon;
  const KeyRing ring({expiring}, 1);
  EXPECT_NE(ring.find(secret, kNoon - 1), nullptr);
  EXPECT_EQ(ring.find(secret, kNoon), nullptr);
  expiring.key.expires_at.reset();
  expiring.key.revoked_at = 1;
  EXPECT_EQ(KeyRing({expiring}, 1).find(secret, kNoon), nullptr);
}

}  // namespace
}  // namespace hf::store
