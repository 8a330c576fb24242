#include "wire/outcome_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <ranges>
#include <utility>

#include "wire/line_members.h"

namespace hf::wire {
namespace {

constexpr std::array<std::string_view, 3> kRoleNames = {"explain", "analyze", "generate"};
constexpr std::array<std::string_view, 2> kTiers = {"edge", "cloud"};
constexpr double kLogprobMin = -100'000;  // Some endpoints send -9999 for "impossible".

Result<Signals> read_signals(const LineMembers& arm) {
  Signals signals;
  HF_TRY(const auto members, arm.object("signals"));
  if (!members) return signals;
  HF_TRY(signals.mean_logprob, members->number("mean_logprob", {kLogprobMin, 0}));
  HF_TRY(signals.low_logprob, members->number("low_logprob", {kLogprobMin, 0}));
  HF_TRY(signals.margin, members->number("margin", {0, 1}));
  return signals;
}

Result<ArmOutcome> read_arm(const LineMembers& members) {
  ArmOutcome arm;
  HF_TRY(arm.endpoint, members.name("endpoint"));
  HF_TRY(const std::size_t tier, members.word("tier", kTiers));
  arm.tier = static_cast<Tier>(tier);
  HF_TRY(const auto correct, members.number("correct", {0, 1}));
  if (!correct) return members.missing("correct");
  arm.correct = *correct;
  HF_TRY(const auto prompt, members.count("prompt_tokens", kOutcomeTokensMax));
  arm.prompt = Tokens(prompt.value_or(0));
  HF_TRY(const auto completion, members.count("completion_tokens", kOutcomeTokensMax));
  arm.completion = Tokens(completion.value_or(0));
  HF_TRY(const auto usd, members.number("usd", {0, kOutcomeUsdMax}));
  arm.usd = from_usd(usd.value_or(0));
  HF_TRY(const auto seconds, members.number("seconds", {0, kOutcomeSecondsMax}));
  arm.seconds = seconds.value_or(0);
  HF_TRY(arm.output, members.text("output"));
  HF_TRY(arm.signals, read_signals(members));
  return arm;
}

bool has_arm(const std::vector<ArmOutcome>& arms, std::string_view endpoint) {
  return std::ranges::find(arms, endpoint, &ArmOutcome::endpoint) != arms.end();
}

Result<std::vector<ArmOutcome>> read_arms(const LineMembers& row) {
  HF_TRY(const auto entries, row.objects("arms"));
  if (!entries) return row.missing("arms");
  if (entries->empty()) return row.wrong("arms", "have at least one entry");
  std::vector<ArmOutcome> arms;
  arms.reserve(entries->size());
  for (const LineMembers& entry : *entries) {
    HF_TRY(ArmOutcome arm, read_arm(entry));
    if (has_arm(arms, arm.endpoint)) {
      return entry.wrong("endpoint", "differ from those of the arms before it");
    }
    arms.push_back(std::move(arm));
  }
  return arms;
}

Result<std::vector<std::string>> read_inputs(const LineMembers& row, std::string_view subtask) {
  HF_TRY(auto inputs, row.names("depends_on"));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == subtask) return row.wrong("depends_on", "not name the subtask itself");
    const auto before = inputs | std::views::take(i);
    if (std::ranges::find(before, inputs[i]) != before.end()) {
      return row.wrong("depends_on", "name each subtask once");
    }
  }
  return inputs;
}

Result<void> read_choice(const LineMembers& members, OutcomeRow& row) {
  HF_TRY(row.chosen, members.text("chosen"));
  if (row.chosen && !has_arm(row.arms, *row.chosen)) {
    return members.wrong("chosen", "be the endpoint of one of the arms");
  }
  constexpr double kAboveZero = std::numeric_limits<double>::denorm_min();
  HF_TRY(row.propensity, members.number("propensity", {kAboveZero, 1, "above 0 and at most 1"}));
  if (row.propensity && !row.chosen) return members.missing("chosen");
  return {};
}

// Of 15 digits, because Boost.JSON may be a unit off in the 16th on reading: so a row that was read
// is written as it was.
double rounded(double number) {
  const std::string text = fmt::format("{:.15g}", number);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void put_optional(json::object& object, std::string_view key, const std::optional<double>& number) {
  if (number) object[key] = rounded(*number);
}
void put_optional(json::object& object, std::string_view key,
                  const std::optional<std::string>& text) {
  if (text) object[key] = *text;
}

json::object signals_to_json(const Signals& signals) {
  json::object object;
  put_optional(object, "mean_logprob", signals.mean_logprob);
  put_optional(object, "low_logprob", signals.low_logprob);
  put_optional(object, "margin", signals.margin);
  return object;
}

json::object arm_to_json(const ArmOutcome& arm) {
  json::object object{{"endpoint", arm.endpoint},
                      {"tier", kTiers[static_cast<std::size_t>(arm.tier)]},
                      {"correct", rounded(arm.correct)},
                      {"prompt_tokens", arm.prompt.count()},
                      {"completion_tokens", arm.completion.count()},
                      {"usd", to_usd(arm.usd)},
                      {"seconds", rounded(arm.seconds)}};
  put_optional(object, "output", arm.output);
  if (json::object signals = signals_to_json(arm.signals); !signals.empty()) {
    object["signals"] = std::move(signals);
  }
  return object;
}

}  // namespace

Result<OutcomeRow> read_outcome_line(std::string_view line, std::size_t number) {
  HF_TRY(const json::value value, read_line_object(line, number));
  const LineMembers members(value.get_object(), fmt::format("line {}: ", number));
  OutcomeRow row;
  HF_TRY(row.query, members.name("query"));
  if (members.has("subtask")) {
    HF_TRY(row.subtask, members.name("subtask"));
  }
  if (members.has("role")) {
    HF_TRY(const std::size_t role, members.word("role", kRoleNames));
    row.role = static_cast<Role>(role);
  }
  HF_TRY(row.depends_on, read_inputs(members, row.subtask));
  HF_TRY(auto category, members.text("category"));
  row.category = std::move(category).value_or("");
  HF_TRY(auto text, members.text("text"));
  row.text = std::move(text).value_or("");
  HF_TRY(row.arms, read_arms(members));
  HF_CHECK(read_choice(members, row));
  return row;
}

std::string write_outcome_line(const OutcomeRow& row) {
  json::object object{{"query", row.query},
                      {"subtask", row.subtask},
                      {"role", kRoleNames[static_cast<std::size_t>(row.role)]},
                      {"depends_on", json::array(row.depends_on.begin(), row.depends_on.end())}};
  if (!row.category.empty()) object["category"] = row.category;
  if (!row.text.empty()) object["text"] = row.text;
  json::array arms;
  arms.reserve(row.arms.size());
  for (const ArmOutcome& arm : row.arms) arms.push_back(arm_to_json(arm));
  object["arms"] = std::move(arms);
  put_optional(object, "chosen", row.chosen);
  put_optional(object, "propensity", row.propensity);
  return to_text(object);
}

}  // namespace hf::wire
