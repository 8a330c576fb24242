#include "plan/plan_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/utf8.h"
#include "graph/graph.h"
#include "plan/words.h"

namespace hf {
namespace {

constexpr std::size_t kGone = static_cast<std::size_t>(-1);
constexpr std::size_t kRepairBytesMax = 200;
constexpr std::int64_t kExpectedMax = 100'000;
constexpr std::string_view kAddedTask = "Answer the question from the results above.";

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool holds(const RawStep& raw, std::string_view what) {
  return std::any_of(raw.fields.begin(), raw.fields.end(),
                     [what](const auto& field) { return field && field->contains(what); });
}

}  // namespace

PlanBuilder::PlanBuilder(const PlanReader::Options& options) : options_(options) {
  options_.max_steps = std::max<std::uint32_t>(options_.max_steps, 1);
}

void PlanBuilder::repair(std::string sentence) {
  if (repairs_.size() >= kRepairsMax) return;
  if (repairs_.size() == kRepairsMax - 1) sentence = "more repairs are not listed";
  if (sentence.size() > kRepairBytesMax) {
    sentence.resize(complete_utf8_prefix(std::string_view(sentence).substr(0, kRepairBytesMax)));
  }
  repairs_.push_back(std::move(sentence));
}

// ---- One step comes in ----

PlanBuilder::Draft PlanBuilder::read(const RawStep& raw) {
  const auto text = [&](Field field) { return raw[field].value_or(""); };
  Draft draft;
  draft.label = read_label(text(Field::kId));
  draft.task = read_task(text(Field::kTask), options_.task_bytes_max);
  draft.key = task_key(draft.task);
  draft.says_rely = raw[Field::kRely].has_value();
  draft.refs = read_labels(text(Field::kRely));
  draft.expected = Tokens(first_number(text(Field::kToken), kExpectedMax));
  draft.difficulty = static_cast<std::uint8_t>(first_number(text(Field::kDifficulty), 9));
  return draft;
}

void PlanBuilder::add(const RawStep& raw) {
  Draft draft = read(raw);
  const std::string name =
      draft.label.empty() ? "a step without id" : fmt::format("step {}", draft.label);
  if (draft.task.empty()) {
    repair(fmt::format("{}: dropped, {}", name,
                       raw.ending == RawStep::Ending::kCut ? "it was cut off" : "it has no task"));
    if (!draft.label.empty()) by_label_.try_emplace(to_lower(draft.label), kGone);
    return release_ready(When::kNow);
  }
  if (raw.ending == RawStep::Ending::kCut) {
    repair(fmt::format("{}: was cut off, used as far as it came", name));
  } else if (raw.ending == RawStep::Ending::kUnclosed) {
    repair(fmt::format("{}: was not closed", name));
  }

  if (raw.has_smart_quotes)
    repair(fmt::format("{}: typographic quotes, taken as plain ones", name));
  if (holds(raw, kReplacement)) {
    repair(fmt::format("{}: has characters that do not exist, replaced", name));
  }
  if (holds(raw, std::string_view("\0", 1)))
    repair(fmt::format("{}: has NULs, replaced by spaces", name));

  const auto role = read_role(raw[Field::kRole].value_or(""));
  draft.role = role.value_or(drafts_.empty() ? Role::kExplain : Role::kAnalyze);
  if (settle_label(draft) && !is_merged(draft) && settle_room(draft, role.has_value())) {
    has_roles_ = has_roles_ || role.has_value();
    settle_references(draft);
    accept(std::move(draft));
  }
  release_ready(When::kNow);
}

// Gives the draft a label of its own. False if it only repeats a step.
bool PlanBuilder::settle_label(Draft& draft) {
  if (draft.label.empty()) {
    draft.label = next_label();
    repair(fmt::format("step {}: had no id", draft.label));
  }
  draft.number = number_of(draft.label);
  if (is_taken(draft.label)) {
    const std::string label = draft.label;
    const Draft& first = drafts_[by_label_.at(to_lower(label))];
    if (first.key == draft.key &&
        (draft.role != Role::kGenerate || first.role == Role::kGenerate)) {
      repair(fmt::format("step {}: came twice, merged", label));
      return false;
    }
    for (int copy = 2; is_taken(draft.label); ++copy) {
      draft.label = fmt::format("{}-{}", label, copy);
    }
    repair(fmt::format("step {}: its id was taken, renamed to {}", label, draft.label));
  }
  largest_number_ = std::max(largest_number_, draft.number.value_or(0));
  return true;
}

bool PlanBuilder::is_merged(const Draft& draft) {
  if (draft.role == Role::kGenerate) return false;
  const auto same = std::find_if(drafts_.begin(), drafts_.end(),
                                 [&](const Draft& other) { return other.key == draft.key; });
  if (same == drafts_.end()) return false;
  by_label_[to_lower(draft.label)] = static_cast<std::size_t>(same - drafts_.begin());
  repair(fmt::format("step {}: same task as step {}, merged", draft.label, same->label));
  return true;
}

// The last place is kept for the step that gives the answer. In a plan without roles nobody knows
// yet which that is: the latest one holds the place until another comes.
bool PlanBuilder::settle_room(Draft& draft, bool is_role_given) {
  const auto too_many = [&](const std::string& label) {
    by_label_[to_lower(label)] = kGone;
    repair(fmt::format("step {}: dropped, a plan has at most {} steps", label, options_.max_steps));
  };
  const bool is_full = drafts_.size() >= options_.max_steps;
  const bool may_be_last = draft.role == Role::kGenerate || !is_role_given;
  if (is_full && is_last_a_guess_ && may_be_last) {
    too_many(drafts_.back().label);
    drafts_.pop_back();
    is_last_a_guess_ = !is_role_given;
    draft.role = Role::kGenerate;
    return true;
  }
  if (!has_roles_ && !is_role_given && drafts_.size() + 1 == options_.max_steps) {
    is_last_a_guess_ = true;
    draft.role = Role::kGenerate;
    return true;
  }
  const std::size_t kept = draft.role == Role::kGenerate || last_generate_ ? 0 : 1;
  if (drafts_.size() + kept < options_.max_steps) return true;
  too_many(draft.label);
  return false;
}

void PlanBuilder::settle_references(Draft& draft) {
  const std::vector<std::string> refs = std::exchange(draft.refs, {});
  for (const std::string& ref : refs) {
    const std::string key = to_lower(ref);
    const auto number = number_of(ref);
    if (key == to_lower(draft.label) || (number && number == draft.number)) {
      drop_reference(draft, ref, "itself");
    } else if (number && draft.number && *number > *draft.number && !by_label_.contains(key)) {
      drop_reference(draft, ref, "which comes later");
    } else {
      draft.refs.push_back(key);
    }
  }
}

void PlanBuilder::drop_reference(Draft& draft, const std::string& ref, std::string_view why) {
  draft.lost_some = true;
  repair(fmt::format("step {}: dropped reliance on {}, {}", draft.label, ref, why));
}

void PlanBuilder::accept(Draft draft) {
  const std::size_t at = drafts_.size();
  if (draft.role == Role::kGenerate) last_generate_ = at;
  by_label_[to_lower(draft.label)] = at;
  drafts_.push_back(std::move(draft));
}

// ---- Release ----

// Steps that give the answer wait for the end, as another may follow.
void PlanBuilder::release_ready(When when) {
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (std::size_t at = 0; at < drafts_.size(); ++at) {
      const Draft& draft = drafts_[at];
      if (draft.id || draft.role == Role::kGenerate) continue;
      if (!is_resolved(at, when)) continue;
      release(at);
      has_changed = true;
    }
  }
}

// Whether all that the draft relies on is released; references that lead nowhere are dropped.
bool PlanBuilder::is_resolved(std::size_t at, When when) {
  Draft& draft = drafts_[at];
  bool is_ready = true;
  std::erase_if(draft.refs, [&](const std::string& ref) {
    const auto found = by_label_.find(ref);
    if (found == by_label_.end()) {
      is_ready = is_ready && when == When::kAtEnd;
      if (when == When::kAtEnd) drop_reference(draft, ref, "which does not exist");
      return when == When::kAtEnd;
    }
    if (found->second == kGone || found->second == at) {
      drop_reference(draft, ref, found->second == at ? "itself" : "which was dropped");
      return true;
    }
    is_ready = is_ready && drafts_[found->second].id;
    return false;
  });
  return is_ready;
}

// REQUIRES: all references of the draft are released.
void PlanBuilder::release(std::size_t at) {
  Draft& draft = drafts_[at];
  SubtaskIds inputs;
  for (const std::string& ref : draft.refs) inputs.push_back(*drafts_[by_label_.at(ref)].id);

  if (inputs.empty() && draft.role == Role::kGenerate) {
    inputs = leaves();
    if (!inputs.empty()) {
      repair(fmt::format("step {}: relied on nothing, now on all results that are not used yet",
                         draft.label));
    }
  } else if (inputs.empty() && (!draft.says_rely || draft.lost_some) && explain_) {
    inputs = {*explain_};
    if (!draft.says_rely) {
      repair(fmt::format("step {}: does not say what it relies on, now step {}", draft.label,
                         steps_[index_of(*explain_)].label));
    }
  }
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());

  const auto id = static_cast<SubtaskId>(steps_.size());
  draft.id = id;
  if (draft.role == Role::kExplain && !explain_) explain_ = id;
  steps_.push_back({.id = id,
                    .label = draft.label,
                    .subtask = {draft.role, std::move(inputs), draft.expected},
                    .task = draft.task,
                    .difficulty = draft.difficulty});
}

// ---- The end ----

// Releases everything, the sink as late as possible; cycles are cut at their earliest step.
void PlanBuilder::release_rest() {
  for (std::size_t at = 0; at < drafts_.size(); ++at) {
    Draft& draft = drafts_[at];
    if (draft.role != Role::kGenerate || at == last_generate_) continue;
    draft.role = Role::kAnalyze;
    repair(fmt::format("step {}: is not the last generate step, now analyze", draft.label));
  }
  while (true) {
    release_ready(When::kAtEnd);
    const auto stuck = std::find_if(drafts_.begin(), drafts_.end(), [](const Draft& draft) {
      return !draft.id && draft.role != Role::kGenerate;
    });
    if (last_generate_ && !drafts_[*last_generate_].id &&
        is_resolved(*last_generate_, When::kAtEnd) &&
        (stuck == drafts_.end() || !drafts_[*last_generate_].refs.empty())) {
      release(*last_generate_);
      continue;
    }
    if (stuck == drafts_.end()) return;
    std::erase_if(stuck->refs, [&](const std::string& ref) {
      if (drafts_[by_label_.at(ref)].id) return false;
      drop_reference(*stuck, ref, "which relies on it in turn");
      return true;
    });
    release(static_cast<std::size_t>(stuck - drafts_.begin()));
  }
}

PlanEnd PlanBuilder::finish() {
  release_rest();
  PlanEnd end;
  end.sink = find_sink();
  if (!end.sink) {
    end.outcome = PlanOutcome::kUseless;
    return end;
  }
  Graph graph;
  for (const PlannedStep& step : steps_) graph.add(step.subtask);
  end.pruned = graph.not_reaching(*end.sink);
  for (const SubtaskId id : end.pruned) {
    repair(
        fmt::format("step {}: pruned, the answer does not rely on it", steps_[index_of(id)].label));
  }
  return end;
}

std::optional<SubtaskId> PlanBuilder::find_sink() {
  if (steps_.empty()) return std::nullopt;
  if (last_generate_) return drafts_[*last_generate_].id;
  const SubtaskIds ends = leaves();
  if (steps_.size() > 1 && (has_roles_ || ends.size() > 1)) return add_sink();
  HF_ASSERT(ends.size() == 1);
  steps_[index_of(ends.front())].subtask.role = Role::kGenerate;
  return ends.front();
}

SubtaskId PlanBuilder::add_sink() {
  const auto id = static_cast<SubtaskId>(steps_.size());
  steps_.push_back({.id = id,
                    .label = next_label(),
                    .subtask = {Role::kGenerate, leaves(), Tokens()},
                    .task = std::string(kAddedTask),
                    .difficulty = 0});
  repair(fmt::format("step {}: added, there was no generate step", steps_.back().label));
  return id;
}

// Released steps that nothing relies on, in id order.
SubtaskIds PlanBuilder::leaves() const {
  std::vector<bool> is_used(steps_.size());
  for (const PlannedStep& step : steps_) {
    for (const SubtaskId input : step.subtask.relies_on) is_used[index_of(input)] = true;
  }
  SubtaskIds ends;
  for (const PlannedStep& step : steps_) {
    if (!is_used[index_of(step.id)]) ends.push_back(step.id);
  }
  return ends;
}

bool PlanBuilder::is_taken(std::string_view label) const {
  const auto found = by_label_.find(to_lower(label));
  return found != by_label_.end() && found->second != kGone;
}

std::string PlanBuilder::next_label() {
  do {
    ++largest_number_;
  } while (by_label_.contains(std::to_string(largest_number_)));
  return std::to_string(largest_number_);
}

}  // namespace hf
