#include "wire/hybrid_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "wire/json.h"

namespace hf::wire {
namespace {

constexpr double kUsdMax = 1e6;
constexpr std::int64_t kTokensMax = 1'000'000'000'000;
constexpr std::int64_t kDeadlineMax = 1000LL * 3600 * 24 * 365;

using Fault = std::optional<RequestFault>;  // Absent: nothing is wrong.

RequestFault invalid(std::string_view field, std::string_view must_be) {
  return {fmt::format("'{}' must be {}.", field, must_be), std::string(field), "invalid_value"};
}

RequestFault unsupported(std::string_view field) {
  return {fmt::format("'{}' is not supported by this server yet; leave it out.", field),
          std::string(field), "unsupported_parameter"};
}

const json::value* given(const json::object& object, std::string_view field) {
  const json::value* value = find(object, field);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// The errors of read_chat_request begin with the field: 'seed', 'messages[2].role', or bare.
std::string field_of(std::string_view message) {
  const bool is_quoted = message.starts_with('\'');
  if (is_quoted) message.remove_prefix(1);
  if (!is_quoted && !message.starts_with("messages[")) return "";
  return std::string(message.substr(0, message.find(is_quoted ? '\'' : ' ')));
}

Fault check_types(const json::object& object) {
  if (const auto* model = given(object, "model"); model == nullptr || !model->is_string()) {
    return invalid("model", "the name of a model");
  }
  for (const std::string_view field : {"stream_options", "metadata"}) {
    const auto* value = given(object, field);
    if (value != nullptr && !value->is_object()) return invalid(field, "an object");
  }
  if (const auto* user = given(object, "user"); user != nullptr && !user->is_string()) {
    return invalid("user", "a string");
  }
  return std::nullopt;
}

bool is_text_format(const json::value& format) {
  const json::object* object = format.if_object();
  return object != nullptr && find_string(*object, "type") == "text";
}

bool has_part_without_text(const json::object& message) {
  const json::array* parts = find_array(message, "content");
  return parts != nullptr && std::ranges::any_of(*parts, [](const json::value& part) {
           const json::object* object = part.if_object();
           return object != nullptr && find_string(*object, "type").value_or("text") != "text";
         });
}

// What other servers can do and this one cannot: told apart from what is wrong anywhere.
Fault check_supported(const json::object& object) {
  for (const std::string_view field : {"tools", "functions"}) {
    const auto* value = given(object, field);
    if (value == nullptr) continue;
    if (!value->is_array()) return invalid(field, "an array");
    if (!value->get_array().empty()) return unsupported(field);
  }
  const auto* format = given(object, "response_format");
  if (format != nullptr && !is_text_format(*format)) return unsupported("response_format");
  if (find_bool(object, "logprobs") == true) return unsupported("logprobs");
  for (const std::string_view field : {"audio", "modalities", "grammar"}) {
    if (given(object, field) != nullptr) return unsupported(field);
  }
  const auto n = find_integer(object, "n");
  if (given(object, "n") != nullptr && (!n || *n < 1)) return invalid("n", "a whole number from 1");
  if (n.value_or(1) > 1) {
    return RequestFault{"'n' may only be 1 here; send the request several times.", "n",
                        "unsupported_parameter"};
  }
  const json::array* messages = find_array(object, "messages");
  if (messages == nullptr) return invalid("messages", "an array of messages");
  for (std::size_t i = 0; i < messages->size(); ++i) {
    const json::object* message = (*messages)[i].if_object();
    if (message == nullptr) continue;
    const std::string place = fmt::format("messages[{}]", i);
    if (has_part_without_text(*message)) return unsupported(place + ".content");
    const auto role = find_string(*message, "role");
    if (role == "tool" || role == "function") return unsupported(place + ".role");
    const json::array* calls = find_array(*message, "tool_calls");
    if (calls != nullptr && !calls->empty()) return unsupported(place + ".tool_calls");
  }
  return std::nullopt;
}

Fault check_known(const json::object& object, std::string_view name,
                  std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    const std::string_view key(member.key());
    if (std::ranges::find(known, key) != known.end()) continue;
    return RequestFault{fmt::format("'{}' has no field '{}'.", name, key),
                        fmt::format("{}.{}", name, key), "unknown_parameter"};
  }
  return std::nullopt;
}

Fault read_budget(const json::object& extension, Budget& budget) {
  const auto* value = given(extension, "budget");
  if (value == nullptr) return std::nullopt;
  const json::object* object = value->if_object();
  if (object == nullptr) return invalid("hybridflow.budget", "an object");
  if (Fault fault = check_known(*object, "hybridflow.budget", {"usd", "cloud_tokens"}))
    return fault;
  if (given(*object, "usd") != nullptr) {
    const auto usd = find_number(*object, "usd");
    if (!usd || !(*usd >= 0 && *usd <= kUsdMax))
      return invalid("hybridflow.budget.usd", "a number from 0 to 1000000");
    budget.usd = PicoUsd(std::llround(*usd * static_cast<double>(kPicoPerUsd)));
  }
  if (given(*object, "cloud_tokens") != nullptr) {
    const auto tokens = find_integer(*object, "cloud_tokens");
    if (!tokens || *tokens < 0 || *tokens > kTokensMax)
      return invalid("hybridflow.budget.cloud_tokens", "a whole number from 0");
    budget.cloud_tokens = Tokens(*tokens);
  }
  return std::nullopt;
}

Fault read_extension(const json::object& object, HybridRequest& request) {
  const auto* value = given(object, "hybridflow");
  if (value == nullptr) return std::nullopt;
  const json::object* extension = value->if_object();
  if (extension == nullptr) return invalid("hybridflow", "an object");
  if (Fault fault =
          check_known(*extension, "hybridflow", {"budget", "deadline_ms", "plan", "privacy"}))
    return fault;
  if (Fault fault = read_budget(*extension, request.budget)) return fault;
  if (given(*extension, "deadline_ms") != nullptr) {
    const auto deadline = find_integer(*extension, "deadline_ms");
    if (!deadline || *deadline < 1 || *deadline > kDeadlineMax)
      return invalid("hybridflow.deadline_ms", "a whole number of milliseconds from 1");
    request.budget.deadline = std::chrono::milliseconds(*deadline);
  }
  if (given(*extension, "plan") != nullptr) {
    constexpr std::pair<std::string_view, PlanMode> kModes[] = {
        {"auto", PlanMode::kAuto}, {"always", PlanMode::kAlways}, {"never", PlanMode::kNever}};
    const auto plan = find_string(*extension, "plan");
    const auto* const mode =
        std::ranges::find_if(kModes, [&](const auto& each) { return plan && each.first == *plan; });
    if (mode == std::end(kModes)) return invalid("hybridflow.plan", "auto, always or never");
    request.plan = mode->second;
  }
  if (given(*extension, "privacy") != nullptr) {
    if (find_string(*extension, "privacy") != "local")
      return invalid("hybridflow.privacy", "local, or left out");
    request.must_stay_local = true;
  }
  return std::nullopt;
}

// The question must be there to be split.
Fault check_question(const std::vector<ChatMessage>& messages) {
  const ChatMessage& last = messages.back();
  const std::string place = fmt::format("messages[{}]", messages.size() - 1);
  if (last.role != "user") {
    return RequestFault{"The last message must be the user's: it is the question.", place + ".role",
                        "invalid_value"};
  }
  if (last.content.find_first_not_of(" \t\r\n") == std::string::npos) {
    return RequestFault{"The last message has no text; it is the question.", place + ".content",
                        "invalid_value"};
  }
  return std::nullopt;
}

}  // namespace

std::expected<HybridRequest, RequestFault> read_hybrid_request(std::string_view body) {
  const Result<json::value> value = parse_json(body);
  if (!value) return std::unexpected(RequestFault{value.error().message, "", "invalid_json"});
  const json::object* object = value->if_object();
  if (object == nullptr) {
    return std::unexpected(RequestFault{"The body must be a JSON object.", "", "invalid_json"});
  }
  if (Fault fault = check_types(*object)) return std::unexpected(*std::move(fault));
  if (Fault fault = check_supported(*object)) return std::unexpected(*std::move(fault));
  HybridRequest request;
  Result<ChatRequest> chat = read_chat_request(body);
  if (!chat) {
    return std::unexpected(
        RequestFault{chat.error().message, field_of(chat.error().message), "invalid_value"});
  }
  request.chat = *std::move(chat);
  if (Fault fault = check_question(request.chat.messages))
    return std::unexpected(*std::move(fault));
  if (Fault fault = read_extension(*object, request)) return std::unexpected(*std::move(fault));
  return request;
}

}  // namespace hf::wire
