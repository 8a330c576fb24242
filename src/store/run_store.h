// The history of runs: their receipts, what their decisions were made from, what was said of their
// results, and what the router has learned from that. One SQLite file, for its owner only.
//
// Knows no JSON and judges nothing: a receipt and a learned state are texts to it. Thread safety:
// none; several processes may use one file at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/past_choice.h"
#include "store/schema.h"
#include "store/sqlite.h"

namespace hf::store {

struct RunRow {
  std::string id;       // Sortable by time.
  std::int64_t at = 0;  // Seconds since 1970.
  std::string policy;
  std::string weights;  // Digest of the trained model; "" without one.
  std::string outcome;
  PicoUsd usd;
  Tokens tokens;
  std::string question;  // Its beginning; "" if texts are not kept.
  std::string receipt;   // JSON.
  std::string key = {};  // Label of the key that asked a server; "" without one.
};

// A decision of a run whose result was used.
struct ChoiceRow {
  SubtaskId subtask{};
  std::string label;     // What the plan calls the subtask.
  bool is_sink = false;  // Its result is the answer.
  PastChoice choice;
};

enum class LabelKind : std::uint8_t {
  kUser,       // Somebody has said how right the result is.
  kAgreement,  // Whether an escalated attempt of the edge had the same answer as the cloud.
};

struct LabelRow {
  SubtaskId subtask{};
  LabelKind kind = LabelKind::kUser;
  double correct = 0;  // 0 to 1.
};

// A run with its choices and what is known of their results at once.
struct KeptRun {
  RunRow run;
  std::vector<ChoiceRow> choices = {};
  std::vector<LabelRow> labels = {};
};

// A choice with all that was said of it.
struct JudgedRow {
  std::string run;
  PastChoice choice;
  std::optional<double> told;    // By a user.
  std::optional<double> agreed;  // By agreement.
};

// What was learned on top of one set of weights.
struct LearnedRow {
  std::string serving;  // What new runs start from; "": the weights as they are.
  std::string verdict;  // On the last candidate, in words.
  std::int64_t at = 0;
};

class RunStore {
 public:
  // Opens the file, making it and its folders if need be. What is no history, or a newer one, is
  // refused and left as it is; damage further in is found where it is read.
  static Result<RunStore> open(const std::filesystem::path& path);

  // Reads the whole file for damage; as slow as it is long.
  Result<void> check();

  // Adds runs, all or none. Runs from before `oldest` go, with all that was said of them; what was
  // learned stays.
  Result<void> add(std::span<const KeptRun> runs, std::int64_t oldest);

  // The run that `id` is the beginning of, in either case; the latest for "last". kInvalidInput if
  // there is none, or more than one.
  Result<RunRow> find(std::string_view id);

  // The latest first, without their receipts; only those before the run `before` if it is given,
  // and only those of one key.
  struct Page {
    std::int64_t count = 0;
    std::string before = {};
    std::optional<std::string> key = {};
  };
  Result<std::vector<RunRow>> latest(const Page& page);
  Result<std::int64_t> count();

  Result<std::vector<ChoiceRow>> choices(const std::string& run);

  // Sets a label, in place of one of the same kind. REQUIRES: the run has a choice for it.
  Result<void> label(const std::string& run, const LabelRow& label);

  // All choices with a label of the runs with these weights, by run and subtask.
  Result<std::vector<JudgedRow>> judged(const std::string& weights);

  // The predicted choices of the answers of all runs with these weights, the latest first.
  Result<std::vector<PastChoice>> answers(const std::string& weights);

  Result<LearnedRow> learned(const std::string& weights);
  Result<void> set_learned(const std::string& weights, const LearnedRow& learned);

 private:
  Result<void> insert(const KeptRun& kept);
  explicit RunStore(Database database) : database_(std::move(database)) {}

  Database database_;
};

// `history.db` beside the ledger of default_ledger_path().
Result<std::filesystem::path> default_history_path(const Getenv& getenv);

}  // namespace hf::store
