// Goal: shown text never holds part of a character or of a stop string, and nothing is lost.
// Method: examples at the edges, and random texts cut at random places.
#include "engine/text_stream.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/utf8.h"

namespace hf::engine {
namespace {

TEST(TextStream, PlainTextPassesAtOnce) {
  TextStream stream({});
  EXPECT_EQ(stream.push("Hello"), "Hello");
  EXPECT_EQ(stream.push(" world"), " world");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, CharacterCutInPiecesIsHeldBackUntilItIsWhole) {
  TextStream stream({});
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80 b"), "\xF0\x9F\x98\x80 b");
}

TEST(TextStream, UnfinishedCharacterIsRepairedAtTheEnd) {
  TextStream stream({});
  EXPECT_EQ(stream.push("a\xE2\x82"), "a");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

TEST(TextStream, StopStringIsNeverShown) {
  TextStream stream({"END", "\n\n"});
  EXPECT_EQ(stream.push("text E"), "text ");
  EXPECT_EQ(stream.push("N"), "");
  EXPECT_EQ(stream.push("D more"), "");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, BeginningOfAStopStringThatIsNotOneIsShownLater) {
  TextStream stream({"END"});
  EXPECT_EQ(stream.push("EN"), "");
  EXPECT_EQ(stream.push("ENx"), "ENENx");
  EXPECT_EQ(stream.push("E"), "");
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(stream.finish(), "E");
}

TEST(TextStream, EarliestOfSeveralStopStringsCounts) {
  TextStream stream({"cd", "bc"});
  EXPECT_EQ(stream.push("abcd"), "a");
  EXPECT_TRUE(stream.stopped());
}

RC_GTEST_PROP(TextStream, CutsDoNotChangeTheText, ()) {
  const auto alphabet = std::string("ab\n\xC3\xA9");
  const auto letters = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
  std::string text;
  for (const int letter : letters) {
    text += letter == 3 ? alphabet.substr(3) : alphabet.substr(static_cast<std::size_t>(letter), 1);
  }
  const std::vector<std::string> stops{"ab\n", "bb"};
  TextStream stream(stops);
  std::string shown;
  std::size_t at = 0;
  while (at < text.size() && !stream.stopped()) {
    const auto length = *rc::gen::inRange<std::size_t>(1, 4);
    const std::string piece = stream.push(std::string_view(text).substr(at, length));
    RC_ASSERT(is_utf8(piece));
    shown += piece;
    at += length;
  }
  shown += stream.finish();
  const auto stop = std::min(text.find(stops[0]), text.find(stops[1]));
  RC_ASSERT(shown == text.substr(0, stop));
  RC_ASSERT(stream.stopped() == (stop != std::string::npos));
}

}  // namespace
}  // namespace hf::engine
