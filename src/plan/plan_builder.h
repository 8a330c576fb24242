// Makes a valid graph of the steps a planner wrote, one after the other: labels, references, roles,
// duplicates, the limit on steps, the one sink. Tells every repair.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/plan.h"
#include "plan/markup.h"
#include "plan/plan_reader.h"

namespace hf {

class PlanBuilder {
 public:
  static constexpr std::size_t kRepairsMax = 64;

  explicit PlanBuilder(const PlanReader::Options& options);

  void add(const RawStep& raw);

  // Resolves what waits and settles on the sink. The outcome is kComplete or kUseless; whoever
  // knows how the plan ended may lower it.
  PlanEnd finish();

  void repair(std::string sentence);

  [[nodiscard]] std::span<const PlannedStep> steps() const { return steps_; }
  [[nodiscard]] std::span<const std::string> repairs() const { return repairs_; }

 private:
  // A step that was accepted. Released once `id` is set.
  struct Draft {
    std::string label;
    std::optional<std::int64_t> number;  // Of the id as written.
    Role role = Role::kAnalyze;
    std::string task;
    std::string key;                // For finding duplicates.
    bool says_rely = false;         // There was a list, even if empty.
    bool lost_some = false;         // Of the references, some were dropped.
    std::vector<std::string> refs;  // Keys of labels.
    Tokens expected;
    std::uint8_t difficulty = 0;
    std::optional<SubtaskId> id;
  };
  enum class When : std::uint8_t { kNow, kAtEnd };

  Draft read(const RawStep& raw);
  bool settle_label(Draft& draft);
  bool is_merged(const Draft& draft);
  bool settle_room(Draft& draft, bool is_role_given);
  void settle_references(Draft& draft);
  void accept(Draft draft);

  void release_ready(When when);
  bool is_resolved(std::size_t at, When when);
  void release(std::size_t at);
  void release_rest();
  std::optional<SubtaskId> find_sink();
  SubtaskId add_sink();

  void drop_reference(Draft& draft, const std::string& ref, std::string_view why);
  [[nodiscard]] SubtaskIds leaves() const;
  [[nodiscard]] bool is_taken(std::string_view label) const;
  std::string next_label();

  PlanReader::Options options_;
  std::vector<Draft> drafts_;                    // In the order in which they came.
  std::map<std::string, std::size_t> by_label_;  // Lower-case label to draft; kGone if dropped.
  std::int64_t largest_number_ = 0;
  bool has_roles_ = false;        // Some step said its role.
  bool is_last_a_guess_ = false;  // The last draft was taken for the answer for want of roles.
  std::optional<std::size_t> last_generate_;
  std::optional<SubtaskId> explain_;  // First released step of that role.
  std::vector<PlannedStep> steps_;
  std::vector<std::string> repairs_;
};

}  // namespace hf
