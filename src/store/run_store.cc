#include "store/run_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "store/database_file.h"

namespace hf::store {
namespace {

constexpr std::string_view kLast = "last";

// Step i leads from version i to i + 1. A step that was released is never changed.
constexpr std::array kHistoryMigrations{
    R"(CREATE TABLE run (
         id TEXT PRIMARY KEY,
         at INTEGER NOT NULL,
         policy TEXT NOT NULL,
         weights TEXT NOT NULL,
         outcome TEXT NOT NULL,
         pico_usd INTEGER NOT NULL,
         tokens INTEGER NOT NULL,
         question TEXT NOT NULL,
         receipt TEXT NOT NULL) STRICT, WITHOUT ROWID;
       CREATE INDEX run_by_time ON run (at);
       CREATE TABLE choice (
         run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
         subtask INTEGER NOT NULL,
         label TEXT NOT NULL,
         is_sink INTEGER NOT NULL,
         is_cloud INTEGER NOT NULL,
         was_tried INTEGER NOT NULL,
         was_open INTEGER NOT NULL,
         edge_chance REAL NOT NULL,
         cloud_chance REAL NOT NULL,
         edge_served REAL NOT NULL,
         cloud_served REAL NOT NULL,
         utility REAL NOT NULL,
         threshold REAL NOT NULL,
         propensity REAL NOT NULL,
         attempt_worth REAL,
         PRIMARY KEY (run, subtask)) STRICT, WITHOUT ROWID;
       CREATE TABLE label (
         run TEXT NOT NULL,
         subtask INTEGER NOT NULL,
         kind INTEGER NOT NULL,
         correct REAL NOT NULL,
         PRIMARY KEY (run, subtask, kind),
         FOREIGN KEY (run, subtask) REFERENCES choice (run, subtask) ON DELETE CASCADE)
         STRICT, WITHOUT ROWID;
       CREATE TABLE learned (
         weights TEXT PRIMARY KEY,
         serving TEXT NOT NULL,
         verdict TEXT NOT NULL,
         at INTEGER NOT NULL) STRICT, WITHOUT ROWID)",
    R"(ALTER TABLE run ADD COLUMN key TEXT NOT NULL DEFAULT '')",
};

constexpr FileKind kHistory{
    .application_id = 0x48465249,  // "HFRI"
    .migrations = kHistoryMigrations,
    .settings =
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON"};

// Columns of a choice from `first` on, in the order of the table.
constexpr std::string_view kChoiceColumns =
    "is_cloud, was_tried, was_open, edge_chance, cloud_chance, edge_served, cloud_served, utility,"
    "threshold, propensity, attempt_worth";
constexpr int kChoiceCount = 11;

bool is_share(double value) {
  return value >= 0 && value <= 1;
}

Result<PastChoice> choice_of(const Database& database, const Rows& rows, int first) {
  PastChoice choice;
  int column = first;
  choice.tier = rows.integer(column++) != 0 ? Tier::kCloud : Tier::kEdge;
  choice.was_tried = rows.integer(column++) != 0;
  choice.was_open = rows.integer(column++) != 0;
  choice.edge_chance = rows.real(column++);
  choice.cloud_chance = rows.real(column++);
  choice.edge_served = rows.real(column++);
  choice.cloud_served = rows.real(column++);
  choice.utility = rows.real(column++);
  choice.threshold = rows.real(column++);
  choice.propensity = rows.real(column++);
  choice.attempt_worth = rows.optional_real(column);
  const bool is_sound = is_share(choice.edge_chance) && is_share(choice.cloud_chance) &&
                        is_share(choice.edge_served) && is_share(choice.cloud_served) &&
                        std::isfinite(choice.utility) && std::isfinite(choice.threshold) &&
                        choice.propensity > 0 && choice.propensity <= 1 &&
                        std::isfinite(choice.attempt_worth.value_or(0));
  if (!is_sound) return std::unexpected(database.damaged("a decision was altered"));
  return choice;
}

RunRow run_of(const Rows& rows) {
  return {.id = rows.text(0),
          .at = rows.integer(1),
          .policy = rows.text(2),
          .weights = rows.text(3),
          .outcome = rows.text(4),
          .usd = PicoUsd(rows.integer(5)),
          .tokens = Tokens(rows.integer(6)),
          .question = rows.text(7),
          .receipt = rows.text(8),
          .key = rows.text(9)};
}

// All rows of a query, each made by `make`.
template <class Row, class Make>
Result<std::vector<Row>> all(Rows rows, Make make) {
  std::vector<Row> made;
  for (;;) {
    HF_TRY(const bool is_row, rows.next());
    if (!is_row) return made;
    HF_TRY(Row row, make(rows));
    made.push_back(std::move(row));
  }
}

}  // namespace

Result<RunStore> RunStore::open(const std::filesystem::path& path) {
  HF_TRY(Database database, open_file({.path = path,
                                       .name = "history",
                                       .when_full = "nothing more is kept until there is space",
                                       .manual = "docs/learning.md"},
                                      kHistory));
  return RunStore(std::move(database));
}

Result<void> RunStore::check() {
  HF_TRY(const Transaction look, Transaction::begin(database_, Transaction::Kind::kRead));
  return check_integrity(database_);
}

Result<void> RunStore::add(std::span<const KeptRun> runs, std::int64_t oldest) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_CHECK(database_.run("DELETE FROM run WHERE at < ?", oldest));
  for (const KeptRun& kept : runs) HF_CHECK(insert(kept));
  return transaction.commit();
}

Result<void> RunStore::insert(const KeptRun& kept) {
  const RunRow& run = kept.run;
  HF_CHECK(database_.run("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         std::string_view(run.id), run.at, std::string_view(run.policy),
                         std::string_view(run.weights), std::string_view(run.outcome),
                         run.usd.count(), run.tokens.count(), std::string_view(run.question),
                         std::string_view(run.receipt), std::string_view(run.key)));
  for (const ChoiceRow& row : kept.choices) {
    const PastChoice& choice = row.choice;
    HF_CHECK(
        database_.run("INSERT INTO choice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      std::string_view(run.id), static_cast<std::int64_t>(row.subtask),
                      std::string_view(row.label), std::int64_t{row.is_sink},
                      std::int64_t{choice.tier == Tier::kCloud}, std::int64_t{choice.was_tried},
                      std::int64_t{choice.was_open}, choice.edge_chance, choice.cloud_chance,
                      choice.edge_served, choice.cloud_served, choice.utility, choice.threshold,
                      choice.propensity, choice.attempt_worth));
  }
  for (const LabelRow& row : kept.labels) HF_CHECK(label(run.id, row));
  return {};
}

Result<RunRow> RunStore::find(std::string_view id) {
  std::string wanted(id == kLast ? "" : id);
  std::ranges::transform(wanted, wanted.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  HF_TRY(Rows rows, database_.query("SELECT * FROM run WHERE substr(id, 1, length(?1)) = ?1 "
                                    "ORDER BY id DESC LIMIT 2",
                                    std::string_view(wanted)));
  HF_TRY(
      const std::vector<RunRow> found,
      all<RunRow>(std::move(rows), [](const Rows& row) -> Result<RunRow> { return run_of(row); }));
  if (found.empty()) {
    return fail(Code::kInvalidInput,
                id == kLast ? std::string("there is no run in the history yet")
                            : fmt::format("there is no run '{}' in the history; `hybridflow "
                                          "explain` lists the last ones",
                                          id));
  }
  if (found.size() > 1 && id != kLast) {
    return fail(Code::kInvalidInput,
                fmt::format("more than one run begins with '{}', {} for example; write more of it",
                            id, found.front().id));
  }
  return found.front();
}

Result<std::vector<RunRow>> RunStore::latest(const Page& page) {
  HF_TRY(Rows rows,
         database_.query("SELECT id, at, policy, weights, outcome, pico_usd, tokens, question, '', "
                         "key FROM run WHERE (?1 = '' OR id < ?1) AND (?2 OR key = ?3) "
                         "ORDER BY id DESC LIMIT ?4",
                         std::string_view(page.before), std::int64_t{!page.key},
                         std::string_view(page.key ? *page.key : page.before), page.count));
  return all<RunRow>(std::move(rows),
                     [](const Rows& row) -> Result<RunRow> { return run_of(row); });
}

Result<std::int64_t> RunStore::count() {
  return database_.number("SELECT count(*) FROM run");
}

Result<std::vector<ChoiceRow>> RunStore::choices(const std::string& run) {
  HF_TRY(Rows rows, database_.query(fmt::format("SELECT {}, subtask, label, is_sink FROM choice "
                                                "WHERE run = ? ORDER BY subtask",
                                                kChoiceColumns),
                                    std::string_view(run)));
  return all<ChoiceRow>(std::move(rows), [this](const Rows& row) -> Result<ChoiceRow> {
    HF_TRY(const PastChoice choice, choice_of(database_, row, 0));
    return ChoiceRow{SubtaskId(static_cast<std::uint32_t>(row.integer(kChoiceCount))),
                     row.text(kChoiceCount + 1), row.integer(kChoiceCount + 2) != 0, choice};
  });
}

Result<void> RunStore::label(const std::string& run, const LabelRow& label) {
  return database_.run("INSERT OR REPLACE INTO label VALUES (?, ?, ?, ?)", std::string_view(run),
                       static_cast<std::int64_t>(label.subtask),
                       std::int64_t{std::to_underlying(label.kind)}, label.correct);
}

Result<std::vector<JudgedRow>> RunStore::judged(const std::string& weights) {
  HF_TRY(
      Rows rows,
      database_.query(fmt::format("SELECT {}, choice.run, told.correct, agreed.correct FROM choice "
                                  "JOIN run ON run.id = choice.run "
                                  "LEFT JOIN label AS told ON told.run = choice.run "
                                  "AND told.subtask = choice.subtask AND told.kind = {} "
                                  "LEFT JOIN label AS agreed ON agreed.run = choice.run "
                                  "AND agreed.subtask = choice.subtask AND agreed.kind = {} "
                                  "WHERE run.weights = ? AND (told.correct IS NOT NULL OR "
                                  "agreed.correct IS NOT NULL) ORDER BY choice.run, choice.subtask",
                                  kChoiceColumns, std::to_underlying(LabelKind::kUser),
                                  std::to_underlying(LabelKind::kAgreement)),
                      std::string_view(weights)));
  return all<JudgedRow>(std::move(rows), [this](const Rows& row) -> Result<JudgedRow> {
    HF_TRY(const PastChoice choice, choice_of(database_, row, 0));
    JudgedRow made{row.text(kChoiceCount), choice, row.optional_real(kChoiceCount + 1),
                   row.optional_real(kChoiceCount + 2)};
    if (!is_share(made.told.value_or(0)) || !is_share(made.agreed.value_or(0)))
      return std::unexpected(database_.damaged("a label was altered"));
    return made;
  });
}

Result<std::vector<PastChoice>> RunStore::answers(const std::string& weights) {
  HF_TRY(Rows rows,
         database_.query(fmt::format("SELECT {} FROM choice JOIN run ON run.id = choice.run "
                                     "WHERE run.weights = ? AND is_sink AND edge_chance > 0 "
                                     "ORDER BY run.id DESC",
                                     kChoiceColumns),
                         std::string_view(weights)));
  return all<PastChoice>(std::move(rows),
                         [this](const Rows& row) { return choice_of(database_, row, 0); });
}

Result<LearnedRow> RunStore::learned(const std::string& weights) {
  HF_TRY(Rows rows, database_.query("SELECT serving, verdict, at FROM learned WHERE weights = ?",
                                    std::string_view(weights)));
  HF_TRY(const bool is_row, rows.next());
  if (!is_row) return LearnedRow{};
  return LearnedRow{rows.text(0), rows.text(1), rows.integer(2)};
}

Result<void> RunStore::set_learned(const std::string& weights, const LearnedRow& learned) {
  return database_.run("INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?)",
                       std::string_view(weights), std::string_view(learned.serving),
                       std::string_view(learned.verdict), learned.at);
}

Result<std::filesystem::path> default_history_path(const Getenv& getenv) {
  HF_TRY(std::filesystem::path path, default_ledger_path(getenv));
  return path.replace_filename("history.db");
}

}  // namespace hf::store
