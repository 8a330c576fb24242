// Goal: messages are read the same however the bytes are cut, and what cannot be read is said so.
// Method: a table of messages, each fed whole, cut in two at every byte, and byte by byte.
#include "load/http_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace hf::load {
namespace {

using Unit = HttpReader::Kind;
using State = HttpReader::State;

struct Read {
  State state = State::kHead;
  int status = 0;
  bool keeps_alive = false;
  std::string method;
  std::string target;
  std::string body;
  std::size_t used = 0;

  friend bool operator==(const Read&, const Read&) = default;
};

// Feeds the pieces until the message is over; `closes`: then the peer is gone.
Read read(Unit kind, const std::vector<std::string_view>& pieces, bool closes) {
  HttpReader reader(kind);
  Read result;
  const auto is_over = [&] {
    return reader.state() == State::kDone || reader.state() == State::kBad;
  };
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !is_over()) {
      const auto [used, body] = reader.feed(piece);
      result.body.append(body);
      result.used += used;
      piece.remove_prefix(used);
    }
  }
  if (closes) reader.end();
  result.state = reader.state();
  result.status = reader.status();
  result.keeps_alive = reader.keeps_alive();
  result.method = reader.method();
  result.target = reader.target();
  return result;
}

// Read in every way of cutting; they must agree.
Read read_all_ways(Unit kind, std::string_view text, bool closes) {
  const Read whole = read(kind, {text}, closes);
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Read cut = read(kind, {text.substr(0, i), text.substr(i)}, closes);
    EXPECT_EQ(cut, whole) << "cut at byte " << i << " of " << text;
    bytes.push_back(text.substr(i, 1));
  }
  EXPECT_EQ(read(kind, bytes, closes), whole) << "byte by byte: " << text;
  return whole;
}

struct Good {
  const char* name;
  std::string_view text;
  int status;
  std::string_view body;
  bool keeps_alive = true;
  bool closes = false;
};

TEST(HttpReader, ReadsAnswersCutAnywhere) {
  const std::vector<Good> table{
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
      {"any case", "HTTP/1.1 200 OK\r\ncONTENT-lENGTH:5\r\n\r\nhello", 200, "hello"},
      {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""},
      {"no reason", "HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", 404, "no"},
      {"chunked",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n"
       "0123456789\r\n0\r\n\r\n",
       200, "hello0123456789"},
      {"trailers",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", 200,
       "a"},
      {"body of newlines", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n", 200,
       "\r\n\r\n\r\n\r\n"},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
      {"continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       200, "hi"},
      {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
       false},
      {"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false},
      {"until close", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false, true},
  };
  for (const Good& good : table) {
    SCOPED_TRACE(good.name);
    const Read seen = read_all_ways(Unit::kResponse, good.text, good.closes);
    EXPECT_EQ(seen.state, State::kDone);
    EXPECT_EQ(seen.status, good.status);
    EXPECT_EQ(seen.body, good.body);
    EXPECT_EQ(seen.keeps_alive, good.keeps_alive);
    EXPECT_EQ(seen.used, good.text.size());
  }
}

TEST(HttpReader, ReadsRequestsCutAnywhere) {
  const Read seen = read_all_ways(
      Unit::kRequest,
      "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{ }", false);
  EXPECT_EQ(seen.state, State::kDone);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/v1/chat/completions");
  EXPECT_EQ(seen.body, "{ }");
  EXPECT_TRUE(seen.keeps_alive);
  const Read bare =
      read_all_ways(Unit::kRequest, "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", false);
  EXPECT_EQ(bare.state, State::kDone);
}

TEST(HttpReader, StopsAtTheEndOfTheMessage) {
  const std::string_view first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  const std::string both = std::string(first) + "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(read_all_ways(Unit::kResponse, both, false).used, first.size());
}

TEST(HttpReader, BeginsAnewAfterReset) {
  HttpReader reader(Unit::kResponse);
  reader.feed("HTTP/1.1 404 No\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
  reader.reset();
  EXPECT_TRUE(reader.is_fresh());
  EXPECT_EQ(reader.status(), 0);
  const std::string_view next = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(reader.feed(next).used, next.size());
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_TRUE(reader.keeps_alive());
}

TEST(HttpReader, SaysWhatItCannotRead) {
  const std::vector<std::string_view> answers{
      "\r\n\r\n",
      "nonsense\r\n\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\n\r\n",
      "HTTP/1.1 999 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
  };
  for (const std::string_view text : answers) {
    EXPECT_EQ(read_all_ways(Unit::kResponse, text, false).state, State::kBad) << text;
  }
  for (const std::string_view text : {"GET\r\n\r\n", "GET /\r\n\r\n", "GET / FTP/1.1\r\n\r\n"}) {
    EXPECT_EQ(read_all_ways(Unit::kRequest, text, false).state, State::kBad) << text;
  }
}

TEST(HttpReader, SaysThatAMessageWasCutOff) {
  const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(read(Unit::kResponse, {text.substr(0, i)}, true).state, State::kBad) << i;
  }
}

TEST(HttpReader, GivesUpOnEndlessHeadsAndChunkLines) {
  const std::string many(70'000, 'a');
  EXPECT_EQ(read(Unit::kResponse, {"HTTP/1.1 200 OK\r\nX: ", many}, false).state, State::kBad);
  EXPECT_EQ(
      read(Unit::kResponse, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", many}, false)
          .state,
      State::kBad);
}

}  // namespace
}  // namespace hf::load
