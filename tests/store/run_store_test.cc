// Goal: the history keeps runs, labels and what was learned, forgets what is too old, keeps texts
// out if told so, and refuses a file it cannot trust.
// Method: real files, reopened, aged, made foreign, newer and damaged.
#include "store/run_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "scratch.h"
#include "store/without_texts.h"

namespace hf::store {
namespace {

namespace fs = std::filesystem;

fs::path file_in(const Scratch& scratch) {
  return scratch.folder() / "deep" / "history.db";
}

RunStore open_history(const fs::path& path) {
  auto store = RunStore::open(path);
  if (!store) {
    ADD_FAILURE() << store.error().message;
    std::abort();
  }
  return *std::move(store);
}

RunRow run(std::string id, std::int64_t at = 1000) {
  return {.id = std::move(id),
          .at = at,
          .policy = "spar",
          .weights = "0123456789abcdef",
          .outcome = "answered",
          .usd = PicoUsd(12),
          .tokens = Tokens(34),
          .question = "",
          .receipt = "{}"};
}

ChoiceRow choice(std::uint32_t subtask, bool is_sink = false) {
  PastChoice made{.tier = Tier::kCloud,
                  .was_tried = true,
                  .was_open = true,
                  .edge_chance = 0.1 + 0.2,
                  .cloud_chance = 0.9,
                  .edge_served = 0.25,
                  .cloud_served = 1.0 / 3,
                  .utility = -0.5,
                  .threshold = 1e-300,
                  .propensity = 0.05,
                  .attempt_worth = 0.125};
  return {SubtaskId(subtask), fmt::format("{}", subtask + 1), is_sink, made};
}

Result<void> keep(RunStore& store, const KeptRun& run, std::int64_t oldest) {
  return store.add({&run, 1}, oldest);
}

void execute(const fs::path& path, const char* sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

TEST(RunStore, ListsPagesAndTheRunsOfOneKey) {
  const Scratch scratch;
  RunStore store = open_history(file_in(scratch));
  std::vector<KeptRun> runs;
  for (const char* id : {"01A", "01B", "01C", "01D"}) {
    KeptRun kept{.run = run(id)};
    kept.run.key = std::string_view(id) < "01C" ? "alice" : "";
    runs.push_back(kept);
  }
  ASSERT_TRUE(store.add(runs, 0));
  const auto ids = [&](const RunStore::Page& page) {
    std::string joined;
    for (const RunRow& row : *store.latest(page)) joined += row.id + row.key + " ";
    return joined;
  };
  EXPECT_EQ(ids({.count = 2}), "01D 01C ");
  EXPECT_EQ(ids({.count = 9, .before = "01C"}), "01Balice 01Aalice ");
  EXPECT_EQ(ids({.count = 9, .before = "01B", .key = "alice"}), "01Aalice ");
  EXPECT_EQ(ids({.count = 9, .key = ""}), "01D 01C ");
}

TEST(RunStore, KeepsWhatItWasGivenOverARestart) {
  const Scratch scratch;
  {
    RunStore store = open_history(file_in(scratch));
    ASSERT_TRUE(keep(
        store,
        {run("01B"), {choice(0), choice(1, true)}, {{SubtaskId(0), LabelKind::kAgreement, 1}}}, 0));
    ASSERT_TRUE(store.label("01B", {SubtaskId(1), LabelKind::kUser, 0.5}));
    ASSERT_TRUE(store.set_learned("0123456789abcdef", {"state", "promoted", 5}));
  }
  RunStore store = open_history(file_in(scratch));
  const auto found = store.find("01B");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->policy, "spar");
  EXPECT_EQ(found->usd, PicoUsd(12));
  EXPECT_EQ(found->tokens, Tokens(34));
  EXPECT_EQ(found->receipt, "{}");
  const auto choices = store.choices("01B");
  ASSERT_TRUE(choices);
  ASSERT_EQ(choices->size(), 2U);
  EXPECT_EQ((*choices)[0].choice, choice(0).choice);
  EXPECT_EQ((*choices)[1].label, "2");
  EXPECT_TRUE((*choices)[1].is_sink);
  const auto judged = store.judged("0123456789abcdef");
  ASSERT_TRUE(judged);
  ASSERT_EQ(judged->size(), 2U);
  EXPECT_EQ((*judged)[0].agreed, 1);
  EXPECT_FALSE((*judged)[0].told);
  EXPECT_EQ((*judged)[1].told, 0.5);
  EXPECT_EQ(store.learned("0123456789abcdef")->serving, "state");
  EXPECT_EQ(store.learned("another")->serving, "");
  EXPECT_TRUE(store.judged("another")->empty());
  EXPECT_EQ(store.answers("0123456789abcdef")->size(), 1U);
}

TEST(RunStore, IsForItsOwnerOnly) {
  const Scratch scratch;
  open_history(file_in(scratch));
  struct stat state{};
  ASSERT_EQ(::stat(file_in(scratch).c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(file_in(scratch).parent_path().c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0700U);
}

TEST(RunStore, ASecondLabelReplacesTheFirst) {
  const Scratch scratch;
  RunStore store = open_history(file_in(scratch));
  ASSERT_TRUE(keep(store, {run("01B"), {choice(0, true)}, {}}, 0));
  ASSERT_TRUE(store.label("01B", {SubtaskId(0), LabelKind::kUser, 1}));
  ASSERT_TRUE(store.label("01B", {SubtaskId(0), LabelKind::kUser, 0}));
  const auto judged = store.judged("0123456789abcdef");
  ASSERT_EQ(judged->size(), 1U);
  EXPECT_EQ((*judged)[0].told, 0);
}

TEST(RunStore, FindsARunByItsBeginning) {
  const Scratch scratch;
  RunStore store = open_history(file_in(scratch));
  EXPECT_NE(store.find("last").error().message.find("no run"), std::string::npos);
  ASSERT_TRUE(keep(store, {run("01ABX"), {}, {}}, 0));
  ASSERT_TRUE(keep(store, {run("01ABY"), {}, {}}, 0));
  EXPECT_EQ(store.find("01aby")->id, "01ABY");
  EXPECT_EQ(store.find("01ABX")->id, "01ABX");
  EXPECT_EQ(store.find("last")->id, "01ABY");
  EXPECT_NE(store.find("01AB").error().message.find("more than one"), std::string::npos);
  EXPECT_NE(store.find("%").error().message.find("no run '%'"), std::string::npos);
  EXPECT_EQ(store.find("02").error().code, Code::kInvalidInput);
  const auto latest = store.latest({.count = 1});
  ASSERT_EQ(latest->size(), 1U);
  EXPECT_EQ(latest->front().id, "01ABY");
  EXPECT_EQ(store.count(), 2);
}

TEST(RunStore, ForgetsOldRunsAndTheirLabelsButNotWhatWasLearned) {
  const Scratch scratch;
  RunStore store = open_history(file_in(scratch));
  ASSERT_TRUE(
      keep(store, {run("01A", 100), {choice(0, true)}, {{SubtaskId(0), LabelKind::kUser, 1}}}, 0));
  ASSERT_TRUE(store.set_learned("0123456789abcdef", {"state", "promoted", 5}));
  ASSERT_TRUE(keep(store, {run("01B", 200), {choice(0, true)}, {}}, 100));
  EXPECT_EQ(store.count(), 2);
  ASSERT_TRUE(keep(store, {run("01C", 300), {}, {}}, 101));
  EXPECT_FALSE(store.find("01A"));
  EXPECT_EQ(store.count(), 2);
  EXPECT_TRUE(store.judged("0123456789abcdef")->empty());
  EXPECT_TRUE(store.choices("01A")->empty());
  EXPECT_EQ(store.learned("0123456789abcdef")->serving, "state");
}

TEST(RunStore, AddsAllOfARunOrNothing) {
  const Scratch scratch;
  RunStore store = open_history(file_in(scratch));
  EXPECT_FALSE(keep(store, {run("01A"), {}, {{SubtaskId(4), LabelKind::kUser, 1}}}, 0));
  EXPECT_EQ(store.count(), 0);
  EXPECT_TRUE(keep(store, {run("01A"), {}, {}}, 0));
}

TEST(RunStore, RefusesForeignNewerAndDamagedFilesAndLeavesThem) {
  const Scratch scratch;
  const fs::path foreign = scratch.folder() / "foreign.db";
  execute(foreign, "CREATE TABLE photos (id INTEGER)");
  EXPECT_NE(RunStore::open(foreign).error().message.find("another program"), std::string::npos);
  // The ledger is a foreign file, too.
  open_store(scratch.ledger());
  EXPECT_NE(RunStore::open(scratch.ledger()).error().message.find("another program"),
            std::string::npos);

  const fs::path newer = scratch.folder() / "newer.db";
  open_history(newer);
  execute(newer, "PRAGMA user_version = 99");
  EXPECT_NE(RunStore::open(newer).error().message.find("history"), std::string::npos);
  EXPECT_NE(RunStore::open(newer).error().message.find("version 99"), std::string::npos);

  const fs::path damaged = scratch.folder() / "damaged.db";
  std::ofstream(damaged, std::ios::binary) << std::string(5000, 'x');
  const auto refused = RunStore::open(damaged);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("docs/learning.md"), std::string::npos);
}

TEST(RunStore, FindsDamageInTheMiddleOfAFile) {
  const Scratch scratch;
  {
    RunStore store = open_history(file_in(scratch));
    for (int i = 0; i < 200; ++i) {
      RunRow row = run(fmt::format("01{:03}", i));
      row.receipt = std::string(500, 'r');
      ASSERT_TRUE(keep(store, {row, {choice(0, true)}, {}}, 0));
    }
    EXPECT_TRUE(store.check());
  }
  std::fstream file(file_in(scratch), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(40'000);
  file << std::string(20'000, '\xff');
  file.close();
  auto store = RunStore::open(file_in(scratch));
  const auto checked = store ? store->check() : Result<void>(std::unexpected(store.error()));
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("is damaged"), std::string::npos);
}

TEST(RunStore, RefusesADecisionThatWasAltered) {
  const Scratch scratch;
  {
    RunStore store = open_history(file_in(scratch));
    ASSERT_TRUE(
        keep(store, {run("01A"), {choice(0, true)}, {{SubtaskId(0), LabelKind::kUser, 1}}}, 0));
  }
  execute(file_in(scratch), "UPDATE choice SET propensity = 0");
  RunStore store = open_history(file_in(scratch));
  EXPECT_FALSE(store.choices("01A"));
  EXPECT_FALSE(store.judged("0123456789abcdef"));
  execute(file_in(scratch), "UPDATE choice SET propensity = 1; UPDATE label SET correct = 2");
  EXPECT_TRUE(store.choices("01A"));
  EXPECT_FALSE(store.judged("0123456789abcdef"));
}

TEST(RunStore, IsBesideTheLedger) {
  const auto path = default_history_path([](const char* name) -> const char* {
    return std::string_view(name) == "HYBRIDFLOW_STATE" ? "/state" : nullptr;
  });
  EXPECT_EQ(*path, fs::path("/state/history.db"));
}

TEST(WithoutTexts, LeavesNothingThatSomebodyWrote) {
  Receipt receipt;
  receipt.answer = "SECRET";
  receipt.outputs = {"SECRET"};
  receipt.attempts = {"SECRET"};
  receipt.repairs = {"SECRET"};
  receipt.plan_end.fault = "SECRET";
  receipt.steps.resize(2);
  receipt.steps[0].label = "2a";
  receipt.steps[0].task = "SECRET";
  receipt.steps[1].label = "SECRET is 5";
  receipt.record.trouble = "SECRET";
  receipt.record.degraded = {"SECRET"};
  receipt.record.subtasks.emplace_back().why_not_done = "SECRET";
  receipt.record.calls.emplace_back().detail = "SECRET";
  const Receipt blank = without_texts(receipt);
  EXPECT_EQ(blank.answer + blank.outputs[0] + blank.attempts[0] + blank.plan_end.fault, "");
  EXPECT_TRUE(blank.repairs.empty());
  EXPECT_EQ(blank.steps[0].label, "2a");
  EXPECT_EQ(blank.steps[0].task, "");
  EXPECT_EQ(blank.steps[1].label, "#2");
  EXPECT_EQ(blank.record.trouble, "");
  EXPECT_TRUE(blank.record.degraded.empty());
  EXPECT_EQ(blank.record.subtasks[0].why_not_done, "");
  EXPECT_EQ(blank.record.calls[0].detail, "");
}

TEST(WithoutTexts, KeepsThisProgramsOwnSentences) {
  Receipt receipt;
  receipt.record.trouble = "The budget does not allow it.";
  receipt.record.calls.emplace_back();
  EXPECT_EQ(without_texts(receipt).record.trouble, "The budget does not allow it.");
}

}  // namespace
}  // namespace hf::store
