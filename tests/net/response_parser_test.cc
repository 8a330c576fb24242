// Goal: an answer is the same however its bytes are cut, and what is not HTTP is refused in words.
// Method: tables of answers, each cut everywhere and byte by byte.
#include "net/response_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace hf::net {
namespace {

struct Read {
  std::string body;
  std::string shown;  // Status, type, body, and how it ended.
};

// Reads `bytes` cut at these places, then the end of the connection if there is more to come.
Read read(std::string bytes, std::vector<std::size_t> cuts, bool is_head = false) {
  ResponseParser parser(is_head);
  Read result;
  cuts.push_back(bytes.size());
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    result.body += parser.push({bytes.data() + from, cut - from});
    from = cut;
  }
  const bool was_done = parser.is_done();
  if (!was_done && parser.error() == CallError::kNone) parser.end();
  result.shown =
      fmt::format("{} [{}] [{}] ", parser.head().status, parser.head().content_type, result.body);
  if (parser.error() != CallError::kNone) {
    result.shown += parser.message();
  } else {
    result.shown += parser.is_reusable() ? "kept" : was_done ? "done" : "ended";
  }
  return result;
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";
const std::string kChunked = kOk + "Transfer-Encoding: chunked\r\n\r\n";

struct Case {
  std::string bytes;
  std::string shown;
};

const std::vector<Case>& answers() {
  static const std::vector<Case> all = {
      {kOk + "Content-Type: a/b\r\nContent-Length: 3\r\n\r\nabc", "200 [a/b] [abc] kept"},
      {kOk + "content-length:3\r\ncontent-length: 3 \r\n\r\nabc", "200 [] [abc] kept"},
      {kOk + "Content-Length: 0\r\n\r\n", "200 [] [] kept"},
      {kOk + "Connection: x, Close\r\nContent-Length: 1\r\n\r\na", "200 [] [a] done"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "200 [] [a] done"},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
       "200 [] [a] kept"},
      {kOk + "\r\nuntil the end", "200 [] [until the end] ended"},
      {kOk + "\r\n", "200 [] [] ended"},
      {kChunked + "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", "200 [] [abc0123456789] kept"},
      {kChunked + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n000\r\nTrailer: x\r\nY: z\r\n\r\n",
       "200 [] [abc] kept"},
      {kChunked + "0\r\n\r\n", "200 [] [] kept"},
      {kOk + "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
       "200 [] [a] done"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Type: no\r\nContent-Length: 7"
       "\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\na",
       "404 [] [a] kept"},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 [] [] kept"},
      {"HTTP/1.1 304 Same\r\n\r\n", "304 [] [] kept"},
      {"HTTP/1.1 101 Other\r\nUpgrade: x\r\n\r\n", "101 [] [] done"},
      {"HTTP/1.1 200\nContent-Type: a/b\nContent-Length: 2\n\nab", "200 [a/b] [ab] kept"},
      {"HTTP/1.1 999 \xC3\xA4\r\nX:\r\nContent-Length: 0\r\n\r\n", "999 [] [] kept"},
      {kOk + "Content-Type: text/\x1b[2J\r\nContent-Length: 0\r\n\r\n",
       "200 [text/\x1b[2J] [] kept"},
      // What cannot be read.
      {"", "0 [] [] the connection was closed before an answer came"},
      {"HT", "0 [] [] the connection was closed in the middle of the answer"},
      {kOk, "200 [] [] the connection was closed in the middle of the answer"},
      {kOk + "Content-Length: 3\r\n\r\nab",
       "200 [] [ab] the connection was closed in the middle of the answer"},
      {kChunked + "3\r\nabc\r\n",
       "200 [] [abc] the connection was closed in the middle of the answer"},
      {kChunked + "x\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "-1\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "0x1\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "1 1\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "fffffffffffffffff\r\n", "200 [] [] the size of a chunk is not a number"},
      {kChunked + "1\r\nab\r\n", "200 [] [a] a chunk is longer than its size says"},
      {"hello\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/2.0 200 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/1.1 20 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/1.1 099 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/1.x 200 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {"HTTP/1.1  200 OK\r\n\r\n", "0 [] [] the answer is not HTTP/1"},
      {kOk + "X : y\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + " X: y\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + "X: y\r\n folded\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + "X\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + ": y\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + "X: a\rb\r\n\r\n", "200 [] [] a line of the header is not HTTP"},
      {kOk + std::string("X: \0\r\n\r\n", 8), "200 [] [] a line of the header is not HTTP"},
      {kOk + "Content-Length: -5\r\n\r\n",
       "200 [] [] the Content-Length of the answer is not a number"},
      {kOk + "Content-Length: 5, 5\r\n\r\n",
       "200 [] [] the Content-Length of the answer is not a number"},
      {kOk + "Content-Length: 99999999999999999999\r\n\r\n",
       "200 [] [] the Content-Length of the answer is not a number"},
      {kOk + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "200 [] [] the Content-Length of the answer is not a number"},
      {kOk + "Transfer-Encoding: gzip, chunked\r\n\r\n",
       "200 [] [] the Transfer-Encoding of the answer is not known"},
      {kOk + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       "200 [] [] the Transfer-Encoding of the answer is not known"},
  };
  return all;
}

TEST(ResponseParser, AnswersAreReadTheSameWhereverTheyAreCut) {
  for (const auto& [bytes, shown] : answers()) {
    EXPECT_EQ(read(bytes, {}).shown, shown) << bytes;
    std::vector<std::size_t> everywhere;
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_EQ(read(bytes, {cut}).shown, shown) << bytes << " at " << cut;
      everywhere.push_back(cut);
    }
    EXPECT_EQ(read(bytes, everywhere).shown, shown) << bytes << " byte by byte";
  }
}

TEST(ResponseParser, WhatFollowsTheAnswerMakesTheConnectionUseless) {
  EXPECT_EQ(read(kOk + "Content-Length: 1\r\n\r\nab", {}).shown, "200 [] [a] done");
  EXPECT_EQ(read(kChunked + "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", {}).shown, "200 [] [] done");
  EXPECT_EQ(read("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\na", {}).shown, "204 [] [] done");
}

TEST(ResponseParser, AnswerToHeadHasNoBody) {
  EXPECT_EQ(read(kOk + "Content-Length: 5\r\n\r\n", {}, true).shown, "200 [] [] kept");
  EXPECT_EQ(read(kChunked, {}, true).shown, "200 [] [] kept");
  EXPECT_EQ(read(kOk + "\r\n", {}, true).shown, "200 [] [] kept");
}

TEST(ResponseParser, HeadOfEndlessLengthIsStopped) {
  const std::string line = "X: " + std::string(1000, 'y') + "\r\n";
  std::string many = kOk;
  for (int i = 0; i < 300; ++i) many += line;
  const std::string told = "the header is larger than 262144 bytes";
  EXPECT_TRUE(read(many, {}).shown.ends_with(told));
  EXPECT_TRUE(read(kOk + std::string(300'000, 'y'), {}).shown.ends_with(told));
  EXPECT_TRUE(read(kChunked + "0\r\n" + many, {}).shown.ends_with(told));
  EXPECT_TRUE(read(kChunked + "1;" + std::string(20'000, 'e'), {}).shown.ends_with("not a number"));
}

TEST(ResponseParser, HeadersThatCallersLookAtAreKept) {
  std::string bytes = kOk +
                      "X-Request-ID: r1\r\nOpenAI-Processing-Ms: 12\r\nX-RateLimit-Left: 3\r\n"
                      "Retry-After: 7\r\nRetry-After-Ms: 6500\r\nSet-Cookie: no\r\n"
                      "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n";
  ResponseParser parser(false);
  (void)parser.push(bytes);
  ASSERT_TRUE(parser.is_done());
  using Kept = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parser.head().headers, (Kept{{"x-request-id", "r1"},
                                         {"openai-processing-ms", "12"},
                                         {"x-ratelimit-left", "3"},
                                         {"retry-after", "7"},
                                         {"retry-after-ms", "6500"}}));
  EXPECT_EQ(parser.retry_after(), "7");
  EXPECT_EQ(parser.content_encoding(), "gzip");
}

RC_GTEST_PROP(ResponseParser, AnyChunksCutAnywhereAreTheBody,
              (const std::vector<std::string>& pieces)) {
  std::string bytes = kChunked;
  std::string body;
  for (const std::string& piece : pieces) {
    if (piece.empty()) continue;
    bytes += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    body += piece;
  }
  bytes += "0\r\n\r\n";
  auto cuts =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, bytes.size()));
  std::ranges::sort(cuts);
  RC_ASSERT(read(bytes, cuts).body == body);
}

RC_GTEST_PROP(ResponseParser, AnyBytesAreTakenWithoutHarm, (std::string bytes)) {
  for (const std::string& before : {std::string(), kOk, kChunked}) {
    (void)read(before + bytes, {bytes.size() / 2});
  }
}

}  // namespace
}  // namespace hf::net
