// Goal: keys are kept as they were given, their secrets are not kept at all, every change is seen
// by other processes, and limits reach the ledger. Method: real files, several connections, SQLite
// to look at and to spoil what is in them.
#include "store/key_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <concepts>
#include <fstream>
#include <iterator>

#include "scratch.h"

namespace hf::store {
namespace {

// A change of a key that nothing speaks against.
auto always(std::invocable<KeySpec&> auto change) {
  return [change](KeySpec& spec) -> Result<void> {
    change(spec);
    return {};
  };
}

constexpr std::int64_t kNow = 1'795'435'200;  // 2026-11-23 12:00.
constexpr std::int64_t kDay = 86'400;

KeyStore open_keys(const Scratch& scratch) {
  auto keys = KeyStore::open(scratch.ledger());
  if (!keys) {
    ADD_FAILURE() << keys.error().message;
    std::abort();
  }
  return *std::move(keys);
}

NewKey add(KeyStore& keys, const KeySpec& spec) {
  auto added = keys.add(spec, kNow);
  if (!added) {
    ADD_FAILURE() << added.error().message;
    std::abort();
  }
  return *std::move(added);
}

KeyRing ring_of(KeyStore& keys) {
  auto ring = keys.ring();
  EXPECT_TRUE(ring);
  return std::move(ring).value_or(KeyRing());
}

std::int64_t generation_of(KeyStore& keys) {
  return keys.generation().value_or(-1);
}

template <class T>
void expect_refused(const Result<T>& result, Code code, std::string_view words) {
  ASSERT_FALSE(result) << words;
  EXPECT_EQ(result.error().code, code);
  EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
}

void execute(const Scratch& scratch, const std::string& sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(scratch.ledger().c_str(), &connection), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

std::string bytes_in(const std::filesystem::path& folder) {
  std::string bytes;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(in), {});
  }
  return bytes;
}

KeySpec full_spec() {
  return {.name = "alice",
          .usd = PicoUsd(5),
          .cloud_tokens = Tokens(6),
          .period = Period::kDay,
          .requests_per_minute = 4'294'967'295,
          .in_flight = 8,
          .models = {"hybrid/auto", "small"},
          .expires_at = kNow + 1};
}

TEST(KeyStore, KeepsAKeyAsItWasGiven) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  EXPECT_EQ(keys.list()->size(), 0U);
  const NewKey full = add(keys, full_spec());
  const NewKey bare = add(keys, {.name = "bob"});
  EXPECT_EQ(static_cast<const KeySpec&>(full.key), full_spec());
  EXPECT_EQ(full.key.created_at, kNow);
  EXPECT_EQ(full.key.prefix, full.secret.substr(0, 10));
  EXPECT_NE(full.key.id, bare.key.id);

  KeyStore again = open_keys(scratch);
  const auto listed = again.list();
  ASSERT_TRUE(listed);
  EXPECT_EQ(*listed, (std::vector{full.key, bare.key}));
}

TEST(KeyStore, NoSecretIsInAnyFile) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey added = add(keys, full_spec());
  const auto rotated = keys.rotate("alice");
  ASSERT_TRUE(rotated);
  for (const std::string& secret : {added.secret, rotated->secret}) {
    // With the log, which is there as long as the store is open. What is listed, is there.
    const std::string bytes = bytes_in(scratch.folder());
    EXPECT_EQ(bytes.find(secret.substr(10)), std::string::npos);
    EXPECT_NE(bytes.find(secret.substr(0, 10)), std::string::npos);
  }
}

TEST(KeyStore, ANameIsTakenUntilItsKeyIsRevoked) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey first = add(keys, {.name = "alice"});
  expect_refused(keys.add({.name = "alice"}, kNow), Code::kInvalidInput, "there is a key 'alice'");
  const auto revoked = keys.revoke("alice", kNow + 1);
  ASSERT_TRUE(revoked);
  EXPECT_EQ(revoked->revoked_at, kNow + 1);
  const NewKey second = add(keys, {.name = "alice"});
  EXPECT_NE(scope_of(first.key, kNow), scope_of(second.key, kNow));
  EXPECT_EQ(keys.list()->size(), 2U);
}

TEST(KeyStore, TheRingHasWhatIsNotRevoked) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey alice = add(keys, {.name = "alice"});
  const NewKey bob = add(keys, {.name = "bob"});
  ASSERT_TRUE(keys.revoke("alice", kNow));
  const KeyRing ring = ring_of(keys);
  EXPECT_EQ(ring.find(alice.secret, kNow), nullptr);
  ASSERT_NE(ring.find(bob.secret, kNow), nullptr);
  EXPECT_EQ(*ring.find(bob.secret, kNow), bob.key);
}

TEST(KeyStore, ARotatedKeyKeepsItsAccountAndLosesItsSecret) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey before = add(keys, full_spec());
  const auto after = keys.rotate("alice");
  ASSERT_TRUE(after);
  EXPECT_NE(after->secret, before.secret);
  EXPECT_EQ(after->key.prefix, after->secret.substr(0, 10));
  EXPECT_EQ(scope_of(after->key, kNow), scope_of(before.key, kNow));
  EXPECT_EQ(static_cast<const KeySpec&>(after->key), full_spec());
  const KeyRing ring = ring_of(keys);
  EXPECT_EQ(ring.find(before.secret, kNow), nullptr);
  EXPECT_NE(ring.find(after->secret, kNow), nullptr);
}

TEST(KeyStore, OnlyAKeyThatIsThereCanBeChanged) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  add(keys, {.name = "alice"});
  ASSERT_TRUE(keys.revoke("alice", kNow));
  const auto nothing = always([](KeySpec&) {});
  for (const char* name : {"alice", "nobody", ""}) {
    expect_refused(keys.revoke(name, kNow), Code::kInvalidInput, "there is no key");
    expect_refused(keys.rotate(name), Code::kInvalidInput, "there is no key");
    expect_refused(keys.set(name, nothing, kNow), Code::kInvalidInput, "there is no key");
  }
}

TEST(KeyStore, ValuesAreCheckedAndNothingChangesIfTheyAreRefused) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  expect_refused(keys.add({.name = "a b"}, kNow), Code::kInvalidInput, "needs a name");
  expect_refused(keys.add({.name = "alice", .expires_at = kNow}, kNow), Code::kInvalidInput,
                 "expired already");
  const NewKey alice = add(keys, {.name = "alice", .expires_at = kNow + 1});
  const std::int64_t generation = generation_of(keys);
  expect_refused(keys.set("alice", always([](KeySpec& s) { s.in_flight = 0; }), kNow),
                 Code::kInvalidInput, "0 requests");
  expect_refused(keys.set("alice", always([](KeySpec& s) { s.expires_at = kNow - 1; }), kNow),
                 Code::kInvalidInput, "expired already");
  EXPECT_EQ(generation_of(keys), generation);
  EXPECT_EQ(keys.list()->front(), alice.key);
  // An expired key may be changed in other ways, and come back with a later end.
  EXPECT_TRUE(keys.set("alice", always([](KeySpec& s) { s.usd = PicoUsd(1); }), kNow + 5));
  EXPECT_TRUE(keys.set("alice", always([](KeySpec& s) { s.expires_at.reset(); }), kNow + 5));
}

TEST(KeyStore, AChangeLeavesTheNameAndWhatItDoesNotTouch) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  add(keys, full_spec());
  const auto changed = keys.set("alice", always([](KeySpec& spec) {
                                  spec.name = "mallory";
                                  spec.in_flight.reset();
                                }),
                                kNow);
  ASSERT_TRUE(changed);
  KeySpec expected = full_spec();
  expected.in_flight.reset();
  EXPECT_EQ(static_cast<const KeySpec&>(*changed), expected);
  EXPECT_EQ(keys.list()->front(), *changed);
}

TEST(KeyStore, EveryChangeIsSeenByOtherProcesses) {
  const Scratch scratch;
  KeyStore mine = open_keys(scratch);
  KeyStore theirs = open_keys(scratch);
  std::int64_t seen = generation_of(mine);
  const auto expect_change = [&] {
    const std::int64_t now = generation_of(mine);
    EXPECT_GT(now, seen);
    EXPECT_EQ(ring_of(mine).generation(), now);
    seen = now;
  };
  const NewKey added = add(theirs, {.name = "alice"});
  expect_change();
  ASSERT_NE(ring_of(mine).find(added.secret, kNow), nullptr);
  ASSERT_TRUE(theirs.set("alice", always([](KeySpec&) {}), kNow));
  expect_change();
  ASSERT_TRUE(theirs.rotate("alice"));
  expect_change();
  ASSERT_TRUE(theirs.revoke("alice", kNow));
  expect_change();
  // What is spent is no change of a key.
  const auto ledger = open_store(scratch.ledger());
  ASSERT_TRUE(ledger->define({"process", std::nullopt, limits(10)}));
  EXPECT_EQ(generation_of(mine), seen);
}

TEST(KeyStore, ALimitReachesTheLedgerAtOnce) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey alice = add(keys, {.name = "alice", .usd = PicoUsd(100)});
  EXPECT_EQ(keys.account(alice.key, kNow)->usd_limit, PicoUsd(100));
  EXPECT_EQ(keys.account(alice.key, kNow)->spent, Amounts{});

  const auto ledger = open_store(scratch.ledger());
  const ScopeSpec scope = scope_spec(alice.key, kNow);
  ASSERT_TRUE(ledger->define(scope));
  const Lease lease = take_all(*ledger, scope.name, of(90));
  EXPECT_EQ(keys.account(alice.key, kNow)->leased, of(90));
  EXPECT_FALSE(*ledger->take(scope.name, of(20), of(20)));

  ASSERT_TRUE(keys.set("alice", always([](KeySpec& spec) { spec.usd = PicoUsd(110); }), kNow));
  take_all(*ledger, scope.name, of(20));
  ASSERT_TRUE(keys.set("alice", always([](KeySpec& spec) { spec.usd = PicoUsd(50); }), kNow));
  EXPECT_FALSE(*ledger->take(scope.name, of(1), of(1)));
  ASSERT_TRUE(keys.set("alice", always([](KeySpec& spec) { spec.usd.reset(); }), kNow));
  take_all(*ledger, scope.name, of(1'000));

  ASSERT_TRUE(ledger->started(lease.id, CallId(1), of(30)));
  ASSERT_TRUE(ledger->settled(lease.id, CallId(1), of(30)));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(keys.account(alice.key, kNow)->spent, of(30));
}

TEST(KeyStore, AnotherPeriodBeginsWithNothingSpent) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  const NewKey alice = add(keys, {.name = "alice", .usd = PicoUsd(100)});
  const auto ledger = open_store(scratch.ledger());
  ASSERT_TRUE(ledger->define(scope_spec(alice.key, kNow)));
  take_all(*ledger, scope_of(alice.key, kNow), of(90));
  EXPECT_EQ(keys.account(alice.key, kNow + 31 * kDay)->leased, of(0));
  const auto daily =
      keys.set("alice", always([](KeySpec& spec) { spec.period = Period::kDay; }), kNow);
  ASSERT_TRUE(daily);
  EXPECT_EQ(keys.account(*daily, kNow)->leased, of(0));
}

TEST(KeyStore, ScopesOfLongAgoGoUnlessSomethingNeedsThem) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  Key key = add(keys, {.name = "alice", .period = Period::kDay}).key;
  const auto ledger = open_store(scratch.ledger());
  ASSERT_TRUE(ledger->define({"process", std::nullopt, limits(1'000)}));
  const auto define = [&](std::int64_t days_ago) {
    const ScopeSpec spec = scope_spec(key, kNow - days_ago * kDay, "process");
    EXPECT_TRUE(ledger->define(spec));
    return spec.name;
  };
  const std::string old = define(401);
  const std::string leased = define(402);
  const std::string above = define(403);
  const std::string recent = define(400);
  ASSERT_TRUE(ledger->define({"below", above, limits(1)}));
  key.period = Period::kTotal;
  const std::string total = define(5'000);
  const Lease spent = take_all(*ledger, old, of(10));
  ASSERT_TRUE(ledger->started(spent.id, CallId(1), of(7)));
  ASSERT_TRUE(ledger->settled(spent.id, CallId(1), of(7)));
  ASSERT_TRUE(ledger->give_back(spent.id));
  ASSERT_TRUE(ledger->flush());
  take_all(*ledger, leased, of(10));

  EXPECT_EQ(keys.prune(kNow), 1);
  EXPECT_EQ(keys.prune(kNow), 0);
  std::vector<std::string> names;
  for (const ScopeRow& row : ledger->report()->scopes) names.push_back(row.name);
  EXPECT_EQ(names, (std::vector<std::string>{"process", leased, above, recent, "below", total}));
  EXPECT_EQ(scope_of(*ledger, "process").spent, of(7));
  EXPECT_TRUE(KeyStore::open(scratch.ledger()));
}

TEST(KeyStore, ALedgerOfTheFirstVersionIsBroughtUpToDate) {
  const Scratch scratch;
  ASSERT_TRUE(open_store(scratch.ledger())->define({"process", std::nullopt, limits(10)}));
  execute(scratch, "DROP TABLE key; PRAGMA user_version = 1");
  KeyStore keys = open_keys(scratch);
  add(keys, {.name = "alice"});
  EXPECT_EQ(scope_of(*open_store(scratch.ledger()), "process").usd_limit, PicoUsd(10));
}

TEST(KeyStore, AForeignANewerAndADamagedFileAreRefused) {
  const Scratch foreign;
  execute(foreign, "CREATE TABLE photos (id INTEGER)");
  expect_refused(KeyStore::open(foreign.ledger()), Code::kUnavailable, "another program");
  const Scratch newer;
  open_keys(newer);
  execute(newer, "PRAGMA user_version = 99");
  expect_refused(KeyStore::open(newer.ledger()), Code::kUnavailable, "has version 99");
  const Scratch damaged;
  std::ofstream(damaged.ledger()) << std::string(5'000, 'x');
  expect_refused(KeyStore::open(damaged.ledger()), Code::kUnavailable, "no ledger at all");
}

TEST(KeyStore, ARowThatWasAlteredIsRefusedWhereverItIsRead) {
  for (const char* change :
       {"id = id + 1", "version = 9", "digest = upper(digest)", "prefix = 'hf-0000000'",
        "name = 'eve'", "usd_limit = 500", "usd_limit = NULL", "tokens_limit = 7", "period = 2",
        "requests_per_minute = 9", "in_flight = NULL", "models = ''", "models = 'large'",
        "expires_at = NULL", "created_at = 1", "revoked_at = 5", "seal = seal + 1"}) {
    const Scratch scratch;
    KeyStore keys = open_keys(scratch);
    add(keys, full_spec());
    execute(scratch, std::string("UPDATE key SET ") + change);
    expect_refused(KeyStore::open(scratch.ledger()), Code::kUnavailable, "was altered");
    expect_refused(try_open(scratch.ledger()), Code::kUnavailable, "was altered");
    expect_refused(keys.list(), Code::kUnavailable, "was altered");
    expect_refused(keys.ring(), Code::kUnavailable, "was altered");
  }
}

TEST(KeyStore, ARevokedKeyCannotComeBackByAnAlteredRow) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  add(keys, {.name = "alice"});
  ASSERT_TRUE(keys.revoke("alice", kNow));
  execute(scratch, "UPDATE key SET revoked_at = NULL");
  for (const auto& result :
       {keys.revoke("alice", kNow), keys.set("alice", always([](KeySpec&) {}), kNow)}) {
    expect_refused(result, Code::kUnavailable, "was altered");
  }
  expect_refused(keys.rotate("alice"), Code::kUnavailable, "was altered");
  expect_refused(keys.add({.name = "alice"}, kNow), Code::kUnavailable, "was altered");
}

TEST(KeyStore, ThereIsAMostOfKeysAndRevokedOnesDoNotCount) {
  const Scratch scratch;
  KeyStore keys = open_keys(scratch);
  add(keys, {.name = "alice"});
  // Rows without a seal: they are counted here and read nowhere.
  execute(scratch,
          "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
          "INSERT INTO key SELECT NULL, i, i, '', i, NULL, NULL, 0, NULL, NULL, '', NULL, 0, NULL, "
          "0 FROM n");
  expect_refused(keys.add({.name = "bob"}, kNow), Code::kOverloaded, "10000 keys");
  ASSERT_TRUE(keys.revoke("alice", kNow));
  EXPECT_TRUE(keys.add({.name = "bob"}, kNow));
}

}  // namespace
}  // namespace hf::store
