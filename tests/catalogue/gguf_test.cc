// Goal: a whole file passes, and one that is cut, bent or shortened anywhere is refused with a
// reason before an engine tries it.
// Method: a small file written here byte by byte; every prefix of it; single fields bent.
#include "catalogue/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "fake_index.h"

namespace hf {
namespace {

using testing::HasSubstr;

template <class T>
std::string number(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes += static_cast<char>((value >> (8 * i)) & 0xFFU);
  }
  return bytes;
}

std::string text(std::string_view words) {
  return number<std::uint64_t>(words.size()) + std::string(words);
}

struct Fields {
  std::uint32_t version = 3;
  std::uint64_t tensors = 1;
  std::uint64_t dimension = 64;
  std::uint64_t words = 2;
  std::uint32_t alignment = 64;
  std::uint64_t offset = 0;
};

// One tensor of 64 values of type Q8_0 (68 bytes) behind three entries.
std::string make(const Fields& fields) {
  std::string file =
      "GGUF" + number(fields.version) + number(fields.tensors) + number<std::uint64_t>(3);
  file += text("general.alignment") + number<std::uint32_t>(4) + number(fields.alignment);
  file += text("name") + number<std::uint32_t>(8) + text("tiny");
  file += text("words") + number<std::uint32_t>(9) + number<std::uint32_t>(8) +
          number(fields.words) + text("a") + text("bc");
  file += text("weights") + number<std::uint32_t>(1) + number(fields.dimension) +
          number<std::uint32_t>(8) + number(fields.offset);
  file.resize((file.size() + 63) / 64 * 64);
  return file + std::string(68, 'w');
}

class Gguf : public testing::Test {
 protected:
  std::string check(std::string_view bytes) {
    const auto path = folder_.path() / "model.gguf";
    test::write_file(path, bytes);
    const auto whole = check_gguf(path);
    return whole ? "whole" : whole.error().message;
  }

  test::TempFolder folder_;
};

TEST_F(Gguf, AWholeFilePassesAndMoreBytesDoNoHarm) {
  EXPECT_EQ(check(make({})), "whole");
  EXPECT_EQ(check(make({}) + "more"), "whole");
  EXPECT_EQ(check(test::kEmptyGguf), "whole");
}

TEST_F(Gguf, EveryShorterFileIsRefused) {
  const std::string file = make({});
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(check(file.substr(0, size)), "whole") << size;
  }
  EXPECT_THAT(check(file.substr(0, 8)), HasSubstr("ends too early"));
  EXPECT_THAT(check(file.substr(0, file.size() - 1)), HasSubstr("its tensors need"));
}

TEST_F(Gguf, BentFieldsAreRefusedWithAReason) {
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_THAT(check("GGML" + make({}).substr(4)), HasSubstr("does not begin"));
  EXPECT_THAT(check(make({.version = 9})), HasSubstr("version 9"));
  EXPECT_THAT(check(make({.tensors = huge})), HasSubstr("larger than the file"));
  EXPECT_NE(check(make({.tensors = 2})), "whole");
  EXPECT_THAT(check(make({.dimension = 128})), HasSubstr("its tensors need"));
  EXPECT_THAT(check(make({.dimension = huge})), HasSubstr("larger than any file"));
  EXPECT_THAT(check(make({.words = huge})), HasSubstr("larger than the file"));
  EXPECT_THAT(check(make({.alignment = 3})), HasSubstr("alignment"));
  EXPECT_THAT(check(make({.offset = 64})), HasSubstr("its tensors need"));
  EXPECT_THAT(check(make({.offset = huge})), HasSubstr("larger than any file"));
}

TEST_F(Gguf, AFileThatIsNotThereIsRefused) {
  EXPECT_FALSE(check_gguf(folder_.path() / "nothing"));
}

}  // namespace
}  // namespace hf
