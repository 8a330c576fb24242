#include "wire/hybrid_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/json.h"

namespace hf::wire {
namespace {

constexpr std::int64_t kAnswerTokensMax = 10'000'000;

// The errors of read_chat_request begin with the field: 'seed', 'messages[2].role', or bare.
std::string field_of(std::string_view message) {
  const bool is_quoted = message.starts_with('\'');
  if (is_quoted) message.remove_prefix(1);
  if (!is_quoted && !message.starts_with("messages[")) return "";
  return std::string(message.substr(0, message.find(is_quoted ? '\'' : ' ')));
}

Fault check_types(const json::object& object) {
  if (const auto* model = given(object, "model"); model == nullptr || !model->is_string())
    return invalid_field("model", "the name of a model");
  for (const std::string_view field : {"stream_options", "metadata"}) {
    const auto* value = given(object, field);
    if (value != nullptr && !value->is_object()) return invalid_field(field, "an object");
  }
  if (const auto* user = given(object, "user"); user != nullptr && !user->is_string())
    return invalid_field("user", "a string");
  for (const std::string_view field : {"tools", "functions"}) {
    const auto* value = given(object, field);
    if (value != nullptr && !value->is_array()) return invalid_field(field, "an array");
  }
  const auto n = find_integer(object, "n");
  if (given(object, "n") != nullptr && (!n || *n < 1))
    return invalid_field("n", "a whole number from 1");
  if (n.value_or(1) > 1) {
    return RequestFault{"'n' may only be 1 here; send the request several times.", "n",
                        "unsupported_parameter"};
  }
  const json::array* messages = find_array(object, "messages");
  if (messages == nullptr || messages->empty())
    return invalid_field("messages", "an array of messages, not empty");
  return std::nullopt;
}

bool is_text_part(const json::value& part) {
  const json::object* object = part.if_object();
  return object == nullptr || find_string(*object, "type").value_or("text") == "text";
}

bool is_text_format(const json::value& format) {
  const json::object* object = format.if_object();
  return object != nullptr && find_string(*object, "type") == "text";
}

std::string_view what_no_plan_serves_in(const json::object& message) {
  const json::array* parts = find_array(message, "content");
  if (parts != nullptr && !std::ranges::all_of(*parts, is_text_part))
    return "parts that are no text";
  const auto role = find_string(message, "role");
  if (role == "tool" || role == "function") return "messages of tools";
  const json::array* calls = find_array(message, "tool_calls");
  return calls != nullptr && !calls->empty() ? "calls of tools" : "";
}

std::string_view what_no_plan_serves(const json::object& object) {
  for (const std::string_view field : {"tools", "functions"}) {
    const json::array* array = find_array(object, field);
    if (array != nullptr && !array->empty()) return field;
  }
  const auto* format = given(object, "response_format");
  if (format != nullptr && !is_text_format(*format)) return "response_format";
  if (find_bool(object, "logprobs") == true) return "logprobs";
  for (const std::string_view field : {"audio", "modalities", "grammar", "prediction"}) {
    if (given(object, field) != nullptr) return field;
  }
  for (const json::value& value : *find_array(object, "messages")) {
    const json::object* message = value.if_object();
    if (message == nullptr) continue;
    if (const auto what = what_no_plan_serves_in(*message); !what.empty()) return what;
  }
  return "";
}

// The text of the last message of the user, and how many parts are no text.
void read_question(const json::array& messages, HybridRequest& request) {
  for (const json::value& value : messages) {
    const json::object* message = value.if_object();
    if (message == nullptr) continue;
    const bool is_users = find_string(*message, "role") == "user";
    if (is_users) request.question = find_string(*message, "content").value_or("");
    const json::array* parts = find_array(*message, "content");
    if (parts == nullptr) continue;
    for (const json::value& part : *parts) {
      if (!is_text_part(part)) ++request.images;
      const json::object* object = part.if_object();
      if (is_users && object != nullptr)
        request.question += find_string(*object, "text").value_or("");
    }
  }
}

// What this program goes by in a request that it passes on.
Fault read_passed_on(const json::object& object, HybridRequest& request) {
  const auto flag = [](const json::object& from, std::string_view field, bool& value) -> Fault {
    if (given(from, field) == nullptr) return std::nullopt;
    const auto read = find_bool(from, field);
    if (!read) return invalid_field(field, "true or false");
    value = *read;
    return std::nullopt;
  };
  if (Fault fault = flag(object, "stream", request.chat.stream)) return fault;
  if (const json::object* options = find_object(object, "stream_options")) {
    if (Fault fault = flag(*options, "include_usage", request.chat.include_usage)) return fault;
  }
  for (const std::string_view field : {"max_tokens", "max_completion_tokens"}) {
    if (given(object, field) == nullptr) continue;
    const auto count = find_integer(object, field);
    if (!count || *count < 1 || *count > kAnswerTokensMax)
      return invalid_field(field, "a whole number from 1 to 10000000");
    request.chat.max_tokens = std::max(Tokens(*count), request.chat.max_tokens.value_or(Tokens(0)));
  }
  read_question(*find_array(object, "messages"), request);
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

// That no field that this program goes by can be read in two ways.
Result<void> check_unmistakable(std::string_view object) {
  HF_TRY(const RawObject raw, RawObject::read(object));
  for (const std::string_view name : {"hybridflow", "budget", "stream_options"}) {
    if (raw.value(name).starts_with('{')) HF_CHECK(check_unmistakable(raw.value(name)));
  }
  return {};
}

// The object of a body whose members are unmistakable.
std::expected<json::object, RequestFault> read_object(std::string_view body) {
  Result<json::value> value = parse_json(body);
  if (!value) return std::unexpected(RequestFault{value.error().message, "", "invalid_json"});
  if (!value->is_object()) {
    return std::unexpected(RequestFault{"The body must be a JSON object.", "", "invalid_json"});
  }
  if (const auto clear = check_unmistakable(body); !clear)
    return std::unexpected(RequestFault{clear.error().message, "", "invalid_json"});
  return std::move(value->get_object());
}

}  // namespace

std::expected<HybridRequest, RequestFault> read_hybrid_request(std::string_view body,
                                                               const IsPassedOn& is_passed_on,
                                                               const HeaderLines& headers) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  if (Fault fault = check_types(*object)) return std::unexpected(*std::move(fault));
  HybridRequest request;
  auto extension = read_extension(*object, headers);
  if (!extension) return std::unexpected(extension.error());
  request.extension = *std::move(extension);
  request.passed_on_for = what_no_plan_serves(*object);
  request.chat.model = find_string(*object, "model").value_or("");
  if (!request.passed_on_for.empty() || is_passed_on(request.chat.model)) {
    if (Fault fault = read_passed_on(*object, request)) return std::unexpected(*std::move(fault));
    return request;
  }
  Result<ChatRequest> chat = read_chat_request(body);
  if (!chat) {
    return std::unexpected(
        RequestFault{chat.error().message, field_of(chat.error().message), "invalid_value"});
  }
  request.chat = *std::move(chat);
  if (Fault fault = check_question(request.chat.messages))
    return std::unexpected(*std::move(fault));
  return request;
}

std::expected<HybridRequest, RequestFault> read_embeddings_request(std::string_view body,
                                                                   const HeaderLines& headers) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  const auto model = find_string(*object, "model");
  if (!model) return std::unexpected(invalid_field("model", "the name of a model"));
  if (given(*object, "input") == nullptr)
    return std::unexpected(invalid_field("input", "a text or an array"));
  auto extension = read_extension(*object, headers);
  if (!extension) return std::unexpected(extension.error());
  HybridRequest request;
  request.extension = *std::move(extension);
  request.chat.model = *model;
  return request;
}

RawObject::Halves passed_on_body(std::string_view body, bool asks_for_usage) {
  RawObject raw = *RawObject::read(body);
  raw.remove("hybridflow");
  if (asks_for_usage) {
    json::object options;
    if (const auto given_options = parse_json(raw.value("stream_options"));
        given_options && given_options->is_object()) {
      options = given_options->get_object();
    }
    options["include_usage"] = true;
    raw.set("stream_options", to_text(options));
  }
  return raw.around("model");
}

}  // namespace hf::wire
