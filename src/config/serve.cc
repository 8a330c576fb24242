#include "config/serve.h"

#include "config/table.h"

namespace hf {
namespace {

constexpr std::int64_t kMostBytes = 1024 * 1024 * 1024;

template <class Number>
Result<void> set(Number& number, const Table& table, std::string_view key, std::int64_t low,
                 std::int64_t high) {
  HF_TRY(const auto given, table.integer(key, low, high));
  if (given) number = static_cast<Number>(*given);
  return {};
}

Result<void> set(Duration& duration, const Table& table, std::string_view key) {
  HF_TRY(const auto given, table.duration(key));
  duration = given.value_or(duration);
  if (duration <= Duration{}) return table.bad(key, "longer than zero");
  return {};
}

Result<void> read_session(const Table& table, Budget& budget) {
  HF_TRY(const auto session, table.table("session"));
  if (!session) return {};
  HF_CHECK(session->allow({"usd", "cloud_tokens"}));
  HF_TRY(const auto usd, session->number("usd", 0, 1e6));
  if (usd) budget.usd = from_usd(*usd);
  HF_TRY(const auto tokens, session->integer("cloud_tokens", 0, 1'000'000'000'000));
  if (tokens) budget.cloud_tokens = Tokens(*tokens);
  return {};
}

Result<void> read_tls(const Table& table, std::optional<TlsConfig>& tls) {
  HF_TRY(const auto given, table.table("tls"));
  if (!given) return {};
  HF_CHECK(given->allow({"certificate", "key"}));
  HF_TRY(const auto certificate, given->text("certificate"));
  HF_TRY(const auto key, given->text("key"));
  if (!certificate || !key) return given->error("TLS needs both 'certificate' and 'key'.");
  tls = TlsConfig{*certificate, *key};
  return {};
}

}  // namespace

Result<ServeConfig> read_serve(const Table& root) {
  ServeConfig serve;
  HF_TRY(const auto table, root.table("serve"));
  if (!table) return serve;
  HF_CHECK(
      table->allow({"runs", "connections", "header_bytes", "body_bytes", "buffered_bytes",
                    "header_time", "body_time", "idle_time", "answer_tokens", "session", "tls"}));
  HF_CHECK(set(serve.runs, *table, "runs", 1, 1'000'000));
  HF_CHECK(set(serve.connections, *table, "connections", 1, 1'000'000));
  HF_CHECK(set(serve.header_bytes, *table, "header_bytes", 1024, kMostBytes));
  HF_CHECK(set(serve.body_bytes, *table, "body_bytes", 1024, kMostBytes));
  HF_CHECK(set(serve.buffered_bytes, *table, "buffered_bytes", 64 * 1024, kMostBytes));
  HF_CHECK(set(serve.header_time, *table, "header_time"));
  HF_CHECK(set(serve.body_time, *table, "body_time"));
  HF_CHECK(set(serve.idle_time, *table, "idle_time"));
  HF_TRY(const auto tokens, table->integer("answer_tokens", 1, 10'000'000));
  if (tokens) serve.answer_tokens = Tokens(*tokens);
  HF_CHECK(read_session(*table, serve.session));
  HF_CHECK(read_tls(*table, serve.tls));
  return serve;
}

}  // namespace hf
