// Goal: a member comes out whole and exact, or there is an error; no archive can do harm.
// Method: archives written byte by byte, then made to lie, cut at every length, and bent at random.
#include "catalogue/wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fake_index.h"

namespace hf {
namespace {

using test::Packing;
using ::testing::HasSubstr;

class Wheel : public ::testing::Test {
 protected:
  Result<std::string> extract(std::string_view archive, std::uint64_t bytes,
                              std::string_view member = "a/data") {
    test::write_file(file_, archive);
    std::string out;
    const Result<void> done =
        extract_member(file_, member, bytes, [&](std::span<const char> piece) -> Result<void> {
          out.append(piece.data(), piece.size());
          return {};
        });
    handed_out_ = out.size();
    if (!done) return std::unexpected(done.error());
    return out;
  }

  void expect_refusal(const std::string& archive, std::uint64_t bytes, const char* says) {
    const auto out = extract(archive, bytes);
    ASSERT_FALSE(out) << says;
    EXPECT_THAT(out.error().message, HasSubstr(says));
  }

  test::TempFolder folder_;
  test::fs::path file_ = folder_.path() / "x.whl";
  std::size_t handed_out_ = 0;
};

TEST_F(Wheel, GivesStoredAndDeflatedMembersExactly) {
  const std::string text = test::noise(700000, 7) + std::string(900000, 'x');
  for (const Packing packing : {Packing::kStored, Packing::kDeflate}) {
    const auto out = extract(test::zip("a/data", text, packing), text.size());
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_TRUE(*out == text);
  }
}

TEST_F(Wheel, GivesMembersOfEveryRoundSize) {
  // The chunk's own size is where an off-by-one would hide.
  for (const std::size_t size : {1U, 65535U, 65536U, 65537U, 131072U}) {
    const std::string text = test::noise(size, size);
    const auto out = extract(test::zip("a/data", text, Packing::kDeflate), size);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_TRUE(*out == text);
  }
}

TEST_F(Wheel, RefusesLies) {
  const std::string text(1000, 'x');
  const auto lie = [&](test::ZipClaims claims) {
    return test::zip("a/data", text, Packing::kDeflate, claims);
  };
  expect_refusal(lie({.unpacked_off = 1}), 1000, "claims 1001 bytes");
  expect_refusal(lie({.crc_flip = 1}), 1000, "checksum");
  expect_refusal(lie({.flags = 1}), 1000, "encrypted");
  expect_refusal(lie({.method_off = 1}), 1000, "unknown method");
  expect_refusal(lie({.unpacked_off = 1}), 1001, "smaller than expected");
  expect_refusal(test::zip("b/data", text, Packing::kStored), 1000, "it has no a/data");
  expect_refusal("", 1000, "no zip directory");
  expect_refusal("PK", 1000, "no zip directory");
}

TEST_F(Wheel, StopsABombAtTheExpectedSize) {
  const std::string bomb(std::size_t{64} << 20U, '\0');
  const std::string archive =
      test::zip("a/data", bomb, Packing::kDeflate,
                {.unpacked_off = 1000 - static_cast<std::int64_t>(bomb.size())});
  expect_refusal(archive, 1000, "larger than expected");
  EXPECT_LE(handed_out_, 1000U);
}

TEST_F(Wheel, AMissingFileIsAnError) {
  const auto out = extract_member(folder_.path() / "none.whl", "a", 1,
                                  [](std::span<const char>) -> Result<void> { return {}; });
  ASSERT_FALSE(out);
}

TEST_F(Wheel, PassesOnTheErrorOfItsTaker) {
  test::write_file(file_, test::zip("a/data", "abc", Packing::kStored));
  const auto out = extract_member(file_, "a/data", 3, [](std::span<const char>) -> Result<void> {
    return fail(Code::kUnavailable, "the disk is full");
  });
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message, "the disk is full");
}

TEST_F(Wheel, RefusesAnArchiveCutAtAnyLength) {
  const std::string archive = test::zip("a/data", test::noise(300, 3), Packing::kDeflate);
  for (std::size_t length = 0; length < archive.size(); ++length) {
    EXPECT_FALSE(extract(std::string_view(archive).substr(0, length), 300)) << length;
  }
  EXPECT_TRUE(extract(archive, 300));
}

TEST_F(Wheel, GivesNothingWrongFromABentArchive) {
  const std::string text = test::noise(200, 5);
  const std::string archive = test::zip("a/data", text, Packing::kDeflate);
  int refused = 0;
  for (std::size_t at = 0; at < archive.size(); ++at) {
    for (const int bit : {0, 4, 7}) {
      std::string bent = archive;
      bent[at] = static_cast<char>(bent[at] ^ (1 << bit));
      const auto out = extract(bent, text.size());
      refused += out ? 0 : 1;
      if (out) EXPECT_EQ(*out, text) << at;
    }
  }
  EXPECT_GT(refused, 600);
}

}  // namespace
}  // namespace hf
