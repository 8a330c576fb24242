// Goal: text files are read whole whether compressed or not, within a limit, and damage is said.
// Method: write and read back; damage at every place of a small compressed file.
#include "eval/text_file.h"

#include <gmock/gmock.h>

#include "base/rng.h"
#include "folder.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;

using TextFile = WithFolder;

std::string random_text(std::size_t size) {
  Rng rng(3);
  std::string text;
  while (text.size() < size) text += static_cast<char>('a' + rng.below(26));
  return text;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(TextFile, IsReadBackAsWritten) {
  for (const std::string& text : {std::string(), std::string("a\0b\n", 4), random_text(300'000)}) {
    for (const char* name : {"plain.txt", "packed.txt.gz"}) {
      ASSERT_TRUE(write_text_file(path(name), text));
      const auto again = read_text_file(path(name));
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(*again, text);
    }
  }
  EXPECT_EQ(bytes_of(path("plain.txt")).size(), 300'000U);
  EXPECT_LT(bytes_of(path("packed.txt.gz")).size(), 200'000U);
}

TEST_F(TextFile, CompressedTwiceHasTheSameBytes) {
  ASSERT_TRUE(write_text_file(path("a.gz"), random_text(1000)));
  ASSERT_TRUE(write_text_file(path("b.gz"), random_text(1000)));
  EXPECT_EQ(bytes_of(path("a.gz")), bytes_of(path("b.gz")));
}

TEST_F(TextFile, MayBeOfSeveralCompressedParts) {
  ASSERT_TRUE(write_text_file(path("a.gz"), "one "));
  ASSERT_TRUE(write_text_file(path("b.gz"), "two"));
  const auto text = read_text_file(file("c", bytes_of(path("a.gz")) + bytes_of(path("b.gz"))));
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "one two");
}

TEST_F(TextFile, LongerThanTheLimitIsRefusedPlainOrCompressed) {
  const std::string text(1 << 20, 'x');
  for (const char* name : {"bomb", "bomb.gz"}) {
    ASSERT_TRUE(write_text_file(path(name), text));
    EXPECT_TRUE(read_text_file(path(name), text.size()));
    const auto refused = read_text_file(path(name), text.size() - 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              path(name).string() + " has more than 1048575 bytes of text; split it.");
  }
}

TEST_F(TextFile, DamageIsSaid) {
  ASSERT_TRUE(write_text_file(path("good.gz"), random_text(200)));
  const std::string good = bytes_of(path("good.gz"));
  for (std::size_t size = 2; size < good.size(); ++size) {
    const auto text = read_text_file(file("bad.gz", std::string_view(good).substr(0, size)));
    ASSERT_FALSE(text) << size;
    EXPECT_THAT(text.error().message, HasSubstr("its compressed data end too early"));
  }
  for (std::size_t i = 10; i < good.size(); ++i) {  // Behind the header, where a check sum watches.
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const auto text = read_text_file(file("bad.gz", bad));
    ASSERT_FALSE(text) << i;
    EXPECT_EQ(text.error().code, Code::kInvalidInput);
    EXPECT_THAT(text.error().message, HasSubstr("bad.gz is damaged: "));
  }
  const auto tail = read_text_file(file("bad.gz", good + "tail"));
  ASSERT_FALSE(tail);
}

TEST_F(TextFile, ThatIsNotThereOrCannotBeWrittenIsSaid) {
  EXPECT_THAT(read_text_file(path("none")).error().message,
              HasSubstr("none cannot be opened: No such file or directory."));
  EXPECT_THAT(read_text_file(path("")).error().message, HasSubstr("Is a directory"));
  EXPECT_THAT(write_text_file(path("none/x"), "").error().message,
              HasSubstr("cannot be written: No such file or directory."));
}

}  // namespace
}  // namespace hf::eval
