#include "wire/request_extension.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/units.h"

namespace hf::wire {
namespace {

constexpr double kUsdMax = 1e6;
constexpr std::int64_t kBudgetTokensMax = 1'000'000'000'000;
constexpr std::int64_t kDeadlineMax = 1000LL * 3600 * 24 * 365;
constexpr std::size_t kNameMax = 64;

Fault read_budget(const json::object& extension, Budget& budget) {
  const auto* value = given(extension, "budget");
  if (value == nullptr) return std::nullopt;
  const json::object* object = value->if_object();
  if (object == nullptr) return invalid_field("hybridflow.budget", "an object");
  if (Fault fault = check_known(*object, "hybridflow.budget", {"usd", "cloud_tokens"}))
    return fault;
  if (given(*object, "usd") != nullptr) {
    const auto usd = find_number(*object, "usd");
    if (!usd || !(*usd >= 0 && *usd <= kUsdMax))
      return invalid_field("hybridflow.budget.usd", "a number from 0 to 1000000");
    budget.usd = from_usd(*usd);
  }
  if (given(*object, "cloud_tokens") != nullptr) {
    const auto tokens = find_integer(*object, "cloud_tokens");
    if (!tokens || *tokens < 0 || *tokens > kBudgetTokensMax)
      return invalid_field("hybridflow.budget.cloud_tokens", "a whole number from 0");
    budget.cloud_tokens = Tokens(*tokens);
  }
  return std::nullopt;
}

Fault read_deadline(const json::object& extension, Budget& budget) {
  if (given(extension, "deadline_ms") == nullptr) return std::nullopt;
  const auto deadline = find_integer(extension, "deadline_ms");
  if (!deadline || *deadline < 1 || *deadline > kDeadlineMax)
    return invalid_field("hybridflow.deadline_ms", "a whole number of milliseconds from 1");
  budget.deadline = std::chrono::milliseconds(*deadline);
  return std::nullopt;
}

Fault read_plan(const json::object& extension, std::optional<PlanMode>& plan) {
  if (given(extension, "plan") == nullptr) return std::nullopt;
  constexpr std::pair<std::string_view, PlanMode> kModes[] = {
      {"auto", PlanMode::kAuto}, {"always", PlanMode::kAlways}, {"never", PlanMode::kNever}};
  const auto word = find_string(extension, "plan");
  const auto* const mode =
      std::ranges::find_if(kModes, [&](const auto& each) { return word && each.first == *word; });
  if (mode == std::end(kModes)) return invalid_field("hybridflow.plan", "auto, always or never");
  plan = mode->second;
  return std::nullopt;
}

Fault read_name(const json::object& extension, std::string_view field, std::string& name) {
  if (given(extension, field) == nullptr) return std::nullopt;
  const auto word = find_string(extension, field);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-").contains(c);
  };
  if (!word || word->empty() || word->size() > kNameMax || !std::ranges::all_of(*word, is_plain)) {
    return invalid_field(fmt::format("hybridflow.{}", field),
                         "1 to 64 letters, digits, dots, dashes or underscores");
  }
  name = *word;
  return std::nullopt;
}

// What a header says, as the body would say it: a number, true or false, or a word.
json::value value_of(std::string_view text) {
  auto value = parse_json(text);
  const bool is_plain = value && (value->is_number() || value->is_bool());
  return is_plain ? *std::move(value) : json::value(text);
}

// The body goes before a header.
Fault add_headers(const HeaderLines& headers, json::object& extension) {
  constexpr std::string_view kPrefix = "x-hybridflow-";
  constexpr std::string_view kBudget = "budget_";
  for (const auto& [name, text] : headers) {
    if (!name.starts_with(kPrefix)) continue;
    if (std::ranges::count(headers, name, &HeaderLines::value_type::first) > 1)
      return RequestFault{fmt::format("The header '{}' is given twice.", name), name,
                          "invalid_value"};
    std::string field = name.substr(kPrefix.size());
    std::ranges::replace(field, '-', '_');
    if (!field.starts_with(kBudget)) {
      // Names stay words: a session may be called 7.
      const bool is_name = field == "session" || field == "policy";
      if (given(extension, field) == nullptr)
        extension[field] = is_name ? json::value(text) : value_of(text);
      continue;
    }
    field.erase(0, kBudget.size());
    if (given(extension, "budget") == nullptr) extension["budget"] = json::object();
    json::object* const budget = extension["budget"].if_object();
    if (budget != nullptr && given(*budget, field) == nullptr) (*budget)[field] = value_of(text);
  }
  return std::nullopt;
}

}  // namespace

std::expected<RequestExtension, RequestFault> read_extension(const json::object& request,
                                                             const HeaderLines& headers) {
  RequestExtension result;
  json::object together;
  const auto* value = given(request, "hybridflow");
  if (value != nullptr && !value->is_object())
    return std::unexpected(invalid_field("hybridflow", "an object"));
  if (value != nullptr) together = value->get_object();
  if (Fault fault = add_headers(headers, together)) return std::unexpected(*std::move(fault));
  if (together.empty()) return result;
  const json::object* const extension = &together;
  for (Fault fault :
       {check_known(*extension, "hybridflow",
                    {"budget", "deadline_ms", "plan", "policy", "privacy", "progress", "session"}),
        read_budget(*extension, result.budget), read_deadline(*extension, result.budget),
        read_plan(*extension, result.plan), read_name(*extension, "policy", result.policy),
        read_name(*extension, "session", result.session)}) {
    if (fault) return std::unexpected(*std::move(fault));
  }
  if (given(*extension, "progress") != nullptr) {
    const auto progress = find_bool(*extension, "progress");
    if (!progress) return std::unexpected(invalid_field("hybridflow.progress", "true or false"));
    result.progress = *progress;
  }
  if (given(*extension, "privacy") != nullptr) {
    if (find_string(*extension, "privacy") != "local")
      return std::unexpected(invalid_field("hybridflow.privacy", "local, or left out"));
    result.must_stay_local = true;
  }
  return result;
}

}  // namespace hf::wire
