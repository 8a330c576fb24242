// Goal: event streams are read by the rules of the WHATWG standard, however the bytes are cut.
// Method: fixed streams with known events, and random streams cut at random places.
#include "wire/sse.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hf::wire {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events read_pieces(const std::vector<std::string>& pieces) {
  SseParser parser;
  Events events;
  for (const std::string& piece : pieces) {
    const auto pushed = parser.push(
        piece, [&](const SseEvent& event) { events.emplace_back(event.name, event.data); });
    EXPECT_TRUE(pushed.has_value());
  }
  return events;
}

Events read(const std::string& text) {
  return read_pieces({text});
}

TEST(Sse, DataLinesAreJoinedByLineFeedAndEndWithAnEmptyLine) {
  EXPECT_EQ(read("data: a\ndata: b\n\ndata: c\n\n"),
            (Events{{"message", "a\nb"}, {"message", "c"}}));
}

TEST(Sse, EventFieldNamesOneEventOnly) {
  EXPECT_EQ(read("event: ping\ndata: 1\n\ndata: 2\n\n"), (Events{{"ping", "1"}, {"message", "2"}}));
}

TEST(Sse, EventWithoutDataIsNotDispatchedAndItsNameIsForgotten) {
  EXPECT_EQ(read("event: ping\n\ndata: 2\n\n"), (Events{{"message", "2"}}));
}

TEST(Sse, EmptyDataFieldIsAnEventWithEmptyData) {
  EXPECT_EQ(read("data\n\ndata:\n\ndata: \n\n"),
            (Events{{"message", ""}, {"message", ""}, {"message", ""}}));
}

TEST(Sse, OneLeadingSpaceOfAValueIsRemovedAndNoMore) {
  EXPECT_EQ(read("data:a\n\ndata:  b \n\n"), (Events{{"message", "a"}, {"message", " b "}}));
}

TEST(Sse, AllThreeLineEndsCount) {
  EXPECT_EQ(read("data: a\r\rdata: b\r\n\r\ndata: c\n\n"),
            (Events{{"message", "a"}, {"message", "b"}, {"message", "c"}}));
}

TEST(Sse, LineEndOfTwoBytesEndsOneLine) {
  const Events one = {{"message", "a\nb"}};
  EXPECT_EQ(read("data: a\r\ndata: b\r\n\r\n"), one);
  EXPECT_EQ(read_pieces({"data: a\r", "\ndata: b\r", "\n\r", "\n"}), one);
}

TEST(Sse, LineEndOfTwoBytesMayBeCutBetweenThem) {
  EXPECT_EQ(read_pieces({"data: a\r", "\n\r", "\ndata: b\r", "\r"}),
            (Events{{"message", "a"}, {"message", "b"}}));
}

TEST(Sse, ByteOrderMarkIsSkippedAtTheStartOnly) {
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "data: a\n\n\xEF\xBB\xBF"
                 "data: b\n\n"),
            (Events{{"message", "a"}}));
  EXPECT_EQ(read_pieces({"\xEF", "\xBB",
                         "\xBF"
                         "data: a\n\n"}),
            (Events{{"message", "a"}}));
}

TEST(Sse, CommentsAndUnknownFieldsAreIgnored) {
  EXPECT_EQ(read(": ping\n\nid: 7\nretry: 10\nother\ndata: a\n:\n\n"), (Events{{"message", "a"}}));
}

TEST(Sse, UnfinishedEventIsHeldBack) {
  EXPECT_EQ(read("data: a\n"), Events{});
}

TEST(Sse, EventOverTheLimitIsAnErrorThatStays) {
  SseParser parser;
  const auto sink = [](const SseEvent&) { FAIL() << "no event was complete"; };
  const std::string half = "data: " + std::string(SseParser::kEventBytesMax / 2, 'x') + "\n";
  EXPECT_TRUE(parser.push(half, sink).has_value());
  const auto over = parser.push(half, sink);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code, Code::kInvalidInput);
  EXPECT_EQ(parser.push("\n\n", sink), over);
}

TEST(Sse, EndlessLineIsAnError) {
  SseParser parser;
  const std::string piece(1024 * 1024, ':');
  Result<void> pushed;
  for (int i = 0; i < 5 && pushed; ++i) pushed = parser.push(piece, [](const SseEvent&) {});
  EXPECT_FALSE(pushed.has_value());
}

TEST(Sse, ManyShortLinesOfOneKindAreReadInLinearTime) {
  // Half a million carriage returns and not one line feed: a search for the feed from each line on
  // would look at more than 10^11 bytes and run into the time limit of the test.
  std::string text;
  for (int i = 0; i < 250'000; ++i) text += "data\r\r";
  EXPECT_EQ(read(text).size(), 250'000U);
}

RC_GTEST_PROP(SseProperty, AnyCutOfTheBytesGivesTheSameEvents, ()) {
  const auto words = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("data", "event", ":", " ", "\r", "\n", "\r\n", "\n\n", "x",
                                    "\xEF\xBB\xBF", "\xFF", "data: y\n"));
  std::string text;
  for (const std::string& word : words) text += word;

  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = *rc::gen::inRange<std::size_t>(1, 5);
    pieces.push_back(text.substr(at, size));
    at += size;
  }
  RC_ASSERT(read_pieces(pieces) == read(text));
}

RC_GTEST_PROP(SseProperty, WrittenEventsAreReadBack, ()) {
  const auto line = rc::gen::container<std::string>(rc::gen::element('a', ' ', ':', 'z', '\xC3'));
  const auto lines = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(line));
  std::string text;
  std::string data;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += "data: " + lines[i] + "\n";
    data += (i == 0 ? "" : "\n") + lines[i];
  }
  RC_ASSERT(read(text + "\n") == (Events{{"message", data}}));
}

}  // namespace
}  // namespace hf::wire
