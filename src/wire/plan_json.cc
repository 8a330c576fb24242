#include "wire/plan_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "plan/plan_reader.h"

namespace hf::wire {
namespace {

constexpr std::size_t kLabelBytesMax = 40;  // What a planner may write, and a little more.
constexpr std::size_t kStepBytesMax = 4096;
constexpr std::int64_t kExpectedMax = 100'000;
constexpr std::array<std::string_view, 3> kRoles = {"explain", "analyze", "generate"};
constexpr std::array<std::string_view, 6> kStepKeys = {
    "id", "role", "task", "relies_on", "expected_tokens", "difficulty"};

// Reads one step after the other; an error says in which it is.
class Reader {
 public:
  Reader(std::string_view name, std::uint32_t max_steps) : name_(name), max_steps_(max_steps) {}

  Result<GivenPlan> read(const json::object& root) {
    const json::object* plan = find_object(root, "plan");
    if (plan == nullptr) plan = &root;
    const json::array* steps = find_array(*plan, "steps");
    if (steps == nullptr) return wrong("has no list 'steps'");
    if (steps->empty()) return wrong("has an empty list 'steps'");
    if (steps->size() > max_steps_) {
      return wrong(fmt::format("has {} steps, at most {} are allowed", steps->size(), max_steps_));
    }
    for (const json::value& step : *steps) HF_CHECK(read_step(step));
    HF_TRY(result_.end.sink, find_sink());
    const auto lost = graph_.not_reaching(*result_.end.sink);
    if (!lost.empty()) {
      return wrong(fmt::format("step '{}' does not lead to the answer: no later step relies on it",
                               result_.steps[index_of(lost.front())].label));
    }
    result_.steps[index_of(*result_.end.sink)].subtask.role = Role::kGenerate;
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::kInvalidInput, fmt::format("{}: the plan {}.", name_, what));
  }

  [[nodiscard]] std::unexpected<Error> wrong_step(std::string_view what) const {
    return fail(Code::kInvalidInput,
                fmt::format("{}: step {} of the plan {}.", name_, result_.steps.size() + 1, what));
  }

  Result<void> read_step(const json::value& value) {
    if (!value.is_object()) return wrong_step("is not an object");
    const json::object& object = value.get_object();
    for (const auto& entry : object) {
      if (std::find(kStepKeys.begin(), kStepKeys.end(), std::string_view(entry.key())) ==
          kStepKeys.end()) {
        return wrong_step(fmt::format("has an unknown key '{}'", std::string_view(entry.key())));
      }
    }
    PlannedStep step;
    HF_TRY(step.label, read_label(object));
    HF_TRY(step.subtask.role, read_role(object));
    HF_TRY(step.subtask.relies_on, read_inputs(object));
    HF_TRY(step.task, read_task(object));
    HF_TRY(const std::int64_t expected, read_integer(object, "expected_tokens", kExpectedMax));
    HF_TRY(const std::int64_t difficulty, read_integer(object, "difficulty", 9));
    step.subtask.expected = Tokens(expected);
    step.difficulty = static_cast<std::uint8_t>(difficulty);
    step.id = graph_.add(step.subtask);
    result_.steps.push_back(std::move(step));
    return {};
  }

  [[nodiscard]] Result<std::string> read_label(const json::object& object) const {
    const auto label = find_string(object, "id");
    if (!label || label->empty()) return wrong_step("needs an 'id' that is a non-empty string");
    if (label->size() > kLabelBytesMax) {
      return wrong_step(fmt::format("has an 'id' of more than {} bytes", kLabelBytesMax));
    }
    if (has_controls(*label)) return wrong_step("has control characters in its 'id'");
    if (step_named(*label)) return wrong_step(fmt::format("has the id '{}' of another", *label));
    return std::string(*label);
  }

  [[nodiscard]] Result<Role> read_role(const json::object& object) const {
    if (find(object, "role") == nullptr) return Role::kAnalyze;
    const auto role = find_string(object, "role").value_or("");
    const auto* const found = std::find(kRoles.begin(), kRoles.end(), role);
    if (found == kRoles.end()) {
      return wrong_step("needs a 'role' that is \"explain\", \"analyze\" or \"generate\"");
    }
    return static_cast<Role>(found - kRoles.begin());
  }

  [[nodiscard]] Result<SubtaskIds> read_inputs(const json::object& object) const {
    SubtaskIds inputs;
    if (find(object, "relies_on") == nullptr) return inputs;
    const json::array* list = find_array(object, "relies_on");
    if (list == nullptr) return wrong_step("needs a 'relies_on' that is a list of ids");
    for (const json::value& value : *list) {
      if (!value.is_string()) return wrong_step("needs a 'relies_on' that is a list of ids");
      const std::string_view label = value.get_string();
      const auto input = step_named(label);
      if (!input) {
        return wrong_step(fmt::format("relies on '{}', which is not an earlier step", label));
      }
      if (std::find(inputs.begin(), inputs.end(), *input) != inputs.end()) {
        return wrong_step(fmt::format("relies on '{}' twice", label));
      }
      inputs.push_back(*input);
    }
    std::sort(inputs.begin(), inputs.end());
    return inputs;
  }

  [[nodiscard]] Result<std::string> read_task(const json::object& object) const {
    const auto task = find_string(object, "task");
    if (!task || task->empty()) return wrong_step("needs a 'task' that is a non-empty string");
    if (task->size() > kStepBytesMax) {
      return wrong_step(fmt::format("has a 'task' of more than {} bytes", kStepBytesMax));
    }
    if (has_controls(*task)) return wrong_step("has control characters in its 'task'");
    return std::string(*task);
  }

  [[nodiscard]] Result<std::int64_t> read_integer(const json::object& object, std::string_view key,
                                                  std::int64_t most) const {
    if (find(object, key) == nullptr) return 0;
    const auto value = find_integer(object, key);
    if (!value || *value < 0 || *value > most) {
      return wrong_step(fmt::format("needs a '{}' that is an integer from 0 to {}", key, most));
    }
    return *value;
  }

  // The step of role generate; without one, the only step that nothing relies on.
  [[nodiscard]] Result<std::optional<SubtaskId>> find_sink() const {
    std::vector<SubtaskId> answers;
    std::vector<SubtaskId> ends;
    for (const PlannedStep& step : result_.steps) {
      if (step.subtask.role == Role::kGenerate) answers.push_back(step.id);
      if (graph_.dependants(step.id).empty()) ends.push_back(step.id);
    }
    if (answers.empty()) answers = ends;
    if (answers.size() != 1) {
      return wrong("needs exactly one last step: give one, and only one, the role \"generate\"");
    }
    return answers.front();
  }

  [[nodiscard]] std::optional<SubtaskId> step_named(std::string_view label) const {
    const auto found = std::find_if(result_.steps.begin(), result_.steps.end(),
                                    [&](const PlannedStep& step) { return step.label == label; });
    if (found == result_.steps.end()) return std::nullopt;
    return found->id;
  }

  static bool has_controls(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  }

  std::string_view name_;
  std::uint32_t max_steps_;
  GivenPlan result_;
  Graph graph_;
};

// A key, with its quotes, that an object of the text has twice: the parser keeps only the last.
// REQUIRES: valid JSON.
std::optional<std::string> repeated_key(std::string_view text) {
  struct Level {
    bool awaits_key = false;
    std::vector<std::string> keys;
  };
  std::vector<Level> levels(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') levels.push_back({.awaits_key = c == '{', .keys = {}});
    if (c == '}' || c == ']') levels.pop_back();
    if (c == ':') levels.back().awaits_key = false;
    if (c == ',') levels.back().awaits_key = !levels.back().keys.empty();
    if (c != '"') continue;
    const std::size_t start = i;
    for (++i; text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
    Level& level = levels.back();
    if (!level.awaits_key) continue;
    // Written anew, as "\u0061" is "a".
    std::string key = to_text(*parse_json(text.substr(start, i + 1 - start)));
    if (std::find(level.keys.begin(), level.keys.end(), key) != level.keys.end()) return key;
    level.keys.push_back(std::move(key));
  }
  return std::nullopt;
}

Result<GivenPlan> read_markup(std::string_view text, std::string_view name,
                              std::uint32_t max_steps) {
  PlanReader reader({.max_steps = max_steps});
  reader.push(text);
  GivenPlan plan;
  plan.end = reader.finish(false).plan;
  if (plan.end.outcome == PlanOutcome::kUseless) {
    return fail(Code::kInvalidInput, fmt::format("{}: no plan: {}.", name, plan.end.fault));
  }
  plan.steps.assign(reader.steps().begin(), reader.steps().end());
  plan.repairs.assign(reader.repairs().begin(), reader.repairs().end());
  return plan;
}

}  // namespace

json::object plan_json(std::span<const PlannedStep> steps, const PlanEnd& end,
                       std::span<const std::string> repairs, std::string_view source) {
  json::array kept;
  json::array pruned;
  for (const PlannedStep& step : steps) {
    if (std::find(end.pruned.begin(), end.pruned.end(), step.id) != end.pruned.end()) {
      pruned.emplace_back(step.label);
      continue;
    }
    json::array relies_on;
    for (const SubtaskId input : step.subtask.relies_on) {
      relies_on.emplace_back(steps[index_of(input)].label);
    }
    kept.push_back({{"id", step.label},
                    {"role", kRoles[static_cast<std::size_t>(step.subtask.role)]},
                    {"task", step.task},
                    {"relies_on", std::move(relies_on)},
                    {"expected_tokens", step.subtask.expected.count()},
                    {"difficulty", step.difficulty}});
  }
  json::array told;
  for (const std::string& repair : repairs) told.emplace_back(repair);
  return {{"source", source},
          {"truncated", end.outcome == PlanOutcome::kTruncated},
          {"repairs", std::move(told)},
          {"pruned", std::move(pruned)},
          {"steps", std::move(kept)}};
}

Result<GivenPlan> read_plan(std::string_view text, std::string_view name, std::uint32_t max_steps) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) {
    return fail(Code::kInvalidInput, fmt::format("{}: the file is empty.", name));
  }
  if (text[start] != '{') return read_markup(text, name, max_steps);
  const auto value = parse_json(text);
  if (!value) return fail(value.error().code, fmt::format("{}: {}", name, value.error().message));
  if (const auto key = repeated_key(text)) {
    return fail(Code::kInvalidInput,
                fmt::format("{}: the key {} is twice in one object.", name, *key));
  }
  return Reader(name, max_steps).read(value->get_object());
}

}  // namespace hf::wire
