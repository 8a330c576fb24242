#include "wire/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "wire/json.h"

namespace hf::wire {
namespace {

constexpr std::int64_t kTokensMax = 100'000'000;
constexpr std::size_t kErrorBytesMax = 300;

std::unexpected<Error> bad_field(std::string_view field, std::string_view must_be) {
  return fail(Code::kInvalidInput, fmt::format("'{}' must be {}.", field, must_be));
}

Result<std::optional<double>> number_in(const json::object& object, std::string_view field,
                                        double low, double high) {
  const json::value* value = find(object, field);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const std::optional<double> number = find_number(object, field);
  if (!number || !(*number >= low && *number <= high)) {
    return bad_field(field, fmt::format("a number from {} to {}", low, high));
  }
  return number;
}

Result<std::optional<std::int64_t>> integer_in(const json::object& object, std::string_view field,
                                               std::int64_t low, std::int64_t high) {
  const json::value* value = find(object, field);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const std::optional<std::int64_t> integer = find_integer(object, field);
  if (!integer || *integer < low || *integer > high) {
    return bad_field(field, fmt::format("a whole number from {} to {}", low, high));
  }
  return integer;
}

Result<bool> flag(const json::object& object, std::string_view field) {
  const json::value* value = find(object, field);
  if (value == nullptr || value->is_null()) return false;
  if (!value->is_bool()) return bad_field(field, "true or false");
  return value->get_bool();
}

// A message's content: a string, or an array of {"type": "text", "text": …} parts.
Result<std::string> read_content(const json::value& content, std::size_t index) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return std::string(content.get_string());
  if (content.is_array()) {
    std::string joined;
    for (const json::value& part : content.get_array()) {
      const json::object* object = part.if_object();
      const auto text = object != nullptr ? find_string(*object, "text") : std::nullopt;
      if (!text || find_string(*object, "type") != "text") {
        return fail(Code::kInvalidInput,
                    fmt::format("messages[{}].content has a part that is not text; only text is "
                                "supported here.",
                                index));
      }
      joined.append(*text);
    }
    return joined;
  }
  return bad_field(fmt::format("messages[{}].content", index),
                   "a string or an array of text parts");
}

Result<std::vector<ChatMessage>> read_messages(const json::object& object) {
  const json::array* array = find_array(object, "messages");
  if (array == nullptr) return bad_field("messages", "an array of messages");
  if (array->empty()) {
    return fail(Code::kInvalidInput, "'messages' is empty; there must be one message at least.");
  }
  std::vector<ChatMessage> messages;
  messages.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    const json::object* entry = (*array)[i].if_object();
    if (entry == nullptr) return bad_field(fmt::format("messages[{}]", i), "an object");
    const auto role = find_string(*entry, "role");
    if (!role ||
        (*role != "system" && *role != "developer" && *role != "user" && *role != "assistant")) {
      return bad_field(fmt::format("messages[{}].role", i), "system, developer, user or assistant");
    }
    const json::value* content = find(*entry, "content");
    if (content == nullptr) return bad_field(fmt::format("messages[{}].content", i), "present");
    HF_TRY(std::string text, read_content(*content, i));
    messages.push_back({*role == "developer" ? "system" : std::string(*role), std::move(text)});
  }
  return messages;
}

Result<std::vector<std::string>> read_stop(const json::object& object) {
  std::vector<std::string> stop;
  const json::value* value = find(object, "stop");
  if (value == nullptr || value->is_null()) return stop;
  if (value->is_string()) {
    stop.emplace_back(value->get_string());
  } else if (value->is_array()) {
    for (const json::value& entry : value->get_array()) {
      if (!entry.is_string()) return bad_field("stop", "a string or an array of strings");
      stop.emplace_back(entry.get_string());
    }
  } else {
    return bad_field("stop", "a string or an array of strings");
  }
  std::erase(stop, "");
  if (stop.size() > 16) return bad_field("stop", "at most 16 strings");
  return stop;
}

Result<void> refuse_unsupported(const json::object& object) {
  HF_TRY(const auto n, integer_in(object, "n", 1, 1));
  static_cast<void>(n);
  for (const std::string_view field : {"tools", "functions"}) {
    const json::array* array = find_array(object, field);
    if (array != nullptr && !array->empty()) {
      return fail(Code::kInvalidInput, fmt::format("'{}' is not supported here.", field));
    }
  }
  const json::value* format = find(object, "response_format");
  if (format != nullptr && !format->is_null()) {
    const json::object* entry = format->if_object();
    if (entry == nullptr || find_string(*entry, "type") != "text") {
      return fail(Code::kInvalidInput,
                  "'response_format' is not supported here, but for {\"type\": \"text\"}.");
    }
  }
  return {};
}

json::object usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt.count()},
          {"completion_tokens", usage.completion.count()},
          {"total_tokens", usage.total().count()},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached.count()}}}};
}

json::array bytes_json(std::string_view text) {
  json::array bytes;
  for (const char c : text) bytes.emplace_back(static_cast<std::uint8_t>(c));
  return bytes;
}

json::object logprobs_json(const std::vector<TokenLogprob>& logprobs) {
  json::array content;
  for (const TokenLogprob& entry : logprobs) {
    json::array top;
    for (const auto& [token, logprob] : entry.top) {
      top.push_back(
          {{"token", repair_utf8(token)}, {"logprob", logprob}, {"bytes", bytes_json(token)}});
    }
    content.push_back({{"token", repair_utf8(entry.token)},
                       {"logprob", entry.logprob},
                       {"bytes", bytes_json(entry.token)},
                       {"top_logprobs", std::move(top)}});
  }
  return {{"content", std::move(content)}};
}

// What is common to a whole answer and a chunk; `text_field` is "message" or "delta".
json::object answer_json(const ChatPiece& piece, std::string_view object,
                         std::string_view text_field, json::object text) {
  json::object answer{
      {"id", piece.id}, {"object", object}, {"created", piece.created}, {"model", piece.model}};
  json::array choices;
  const bool is_usage_only = text_field == "delta" && text.empty() && !piece.finish_reason;
  if (!is_usage_only) {
    json::object choice{{"index", 0}, {text_field, std::move(text)}};
    choice["logprobs"] =
        piece.logprobs.empty() ? json::value(nullptr) : json::value(logprobs_json(piece.logprobs));
    choice["finish_reason"] =
        piece.finish_reason ? json::value(*piece.finish_reason) : json::value(nullptr);
    choices.push_back(std::move(choice));
  }
  answer["choices"] = std::move(choices);
  if (piece.usage) answer["usage"] = usage_json(*piece.usage);
  if (piece.signals) {
    json::object signals;
    const auto add = [&](std::string_view name, const std::optional<double>& value) {
      if (value) signals[name] = *value;
    };
    add("mean_logprob", piece.signals->mean_logprob);
    add("low_logprob", piece.signals->low_logprob);
    add("margin", piece.signals->margin);
    answer["hybridflow"] = {{"signals", std::move(signals)}};
  }
  return answer;
}

std::optional<Usage> read_usage(const json::object& object) {
  const json::object* usage = find_object(object, "usage");
  if (usage == nullptr) return std::nullopt;
  const auto count = [](const json::object& from, std::string_view field) {
    return Tokens(std::clamp<std::int64_t>(find_integer(from, field).value_or(0), 0, kTokensMax));
  };
  // Numbers that cannot be are no usage: the worst case is booked instead.
  const auto is_told = [&](std::string_view field) {
    return find_integer(*usage, field).value_or(-1) >= 0;
  };
  const bool is_prompt_only =
      find(*usage, "completion_tokens") == nullptr &&
      find_integer(*usage, "total_tokens") == find_integer(*usage, "prompt_tokens");
  if (!is_told("prompt_tokens") || (!is_told("completion_tokens") && !is_prompt_only))
    return std::nullopt;
  Usage result{.prompt = count(*usage, "prompt_tokens"),
               .cached = Tokens(0),
               .completion = count(*usage, "completion_tokens")};
  if (const json::object* details = find_object(*usage, "prompt_tokens_details")) {
    result.cached = std::min(count(*details, "cached_tokens"), result.prompt);
  }
  return result;
}

std::vector<TokenLogprob> read_logprobs(const json::object& choice) {
  std::vector<TokenLogprob> result;
  const json::object* logprobs = find_object(choice, "logprobs");
  const json::array* content = logprobs != nullptr ? find_array(*logprobs, "content") : nullptr;
  if (content == nullptr) return result;
  for (const json::value& value : *content) {
    const json::object* entry = value.if_object();
    if (entry == nullptr) continue;
    const auto logprob = find_number(*entry, "logprob");
    if (!logprob) continue;
    TokenLogprob& read = result.emplace_back();
    read.token = find_string(*entry, "token").value_or("");
    read.logprob = *logprob;
    const json::array* top = find_array(*entry, "top_logprobs");
    if (top == nullptr) continue;
    for (const json::value& alternative : *top) {
      const json::object* other = alternative.if_object();
      const auto other_logprob = other != nullptr ? find_number(*other, "logprob") : std::nullopt;
      if (other_logprob)
        read.top.emplace_back(find_string(*other, "token").value_or(""), *other_logprob);
    }
  }
  return result;
}

std::optional<Signals> read_signals(const json::object& object) {
  const json::object* extension = find_object(object, "hybridflow");
  const json::object* signals = extension != nullptr ? find_object(*extension, "signals") : nullptr;
  if (signals == nullptr) return std::nullopt;
  const auto read = [&](std::string_view name) {
    const auto number = find_number(*signals, name);
    return number && std::isfinite(*number) ? number : std::nullopt;
  };
  return Signals{.mean_logprob = read("mean_logprob"),
                 .low_logprob = read("low_logprob"),
                 .margin = read("margin")};
}

Result<ChatPiece> read_piece(std::string_view body, std::string_view text_field) {
  HF_TRY(const json::value value, parse_json(body));
  const json::object* object = value.if_object();
  if (object == nullptr) return fail(Code::kInvalidInput, "the answer is not a JSON object");
  if (find_object(*object, "error") != nullptr) {
    return fail(Code::kUnavailable, read_chat_error(body));
  }
  const json::array* choices = find_array(*object, "choices");
  if (choices == nullptr) return fail(Code::kInvalidInput, "the answer has no 'choices'");

  ChatPiece piece;
  piece.id = find_string(*object, "id").value_or("");
  piece.model = find_string(*object, "model").value_or("");
  piece.created = find_integer(*object, "created").value_or(0);
  piece.usage = read_usage(*object);
  piece.signals = read_signals(*object);
  if (choices->empty()) return piece;

  const json::object* choice = choices->front().if_object();
  if (choice == nullptr) return fail(Code::kInvalidInput, "'choices[0]' is not an object");
  if (const json::object* text = find_object(*choice, text_field)) {
    piece.content = find_string(*text, "content").value_or("");
  } else if (text_field == "message") {
    return fail(Code::kInvalidInput, "the answer has no 'choices[0].message'");
  }
  if (const auto reason = find_string(*choice, "finish_reason")) piece.finish_reason = *reason;
  piece.logprobs = read_logprobs(*choice);
  return piece;
}

}  // namespace

std::optional<Usage> read_usage(std::string_view answer) {
  // In a string the quotes would be escaped; the last one is not inside of another answer's.
  constexpr std::string_view kName = R"("usage")";
  const std::size_t name = answer.rfind(kName);
  if (name == std::string_view::npos) return std::nullopt;
  const std::size_t colon = answer.find_first_not_of(" \t\r\n", name + kName.size());
  if (colon == std::string_view::npos || answer[colon] != ':') return std::nullopt;
  json::stream_parser parser;
  boost::system::error_code error;
  parser.write_some(answer.data() + colon + 1, answer.size() - colon - 1, error);
  if (error || !parser.done()) return std::nullopt;
  return read_usage(json::object{{"usage", parser.release()}});
}

std::string quoted(std::string_view text) {
  return to_text(json::string(text));
}

bool has_no_choices(std::string_view chunk) {
  const Result<json::value> value = parse_json(chunk);
  const json::object* object = value ? value->if_object() : nullptr;
  const json::array* choices = object != nullptr ? find_array(*object, "choices") : nullptr;
  return choices != nullptr && choices->empty();
}

Result<ChatRequest> read_chat_request(std::string_view body) {
  HF_TRY(const json::value value, parse_json(body));
  const json::object* object = value.if_object();
  if (object == nullptr) return fail(Code::kInvalidInput, "The body must be a JSON object.");

  ChatRequest request;
  if (const json::value* model = find(*object, "model"); model != nullptr && !model->is_null()) {
    if (!model->is_string()) return bad_field("model", "a string");
    request.model = model->get_string();
  }
  HF_TRY(request.messages, read_messages(*object));
  HF_CHECK(refuse_unsupported(*object));
  HF_TRY(request.stream, flag(*object, "stream"));
  if (const json::object* options = find_object(*object, "stream_options")) {
    HF_TRY(request.include_usage, flag(*options, "include_usage"));
  }
  for (const std::string_view field : {"max_tokens", "max_completion_tokens"}) {
    HF_TRY(const auto count, integer_in(*object, field, 1, kTokensMax));
    if (count) request.max_tokens = Tokens(*count);
  }
  HF_TRY(request.temperature, number_in(*object, "temperature", 0, 2));
  HF_TRY(request.top_p, number_in(*object, "top_p", 0, 1));
  HF_TRY(const auto seed, integer_in(*object, "seed", std::numeric_limits<std::int64_t>::min(),
                                     std::numeric_limits<std::int64_t>::max()));
  if (seed) request.seed = static_cast<std::uint64_t>(*seed);
  HF_TRY(request.stop, read_stop(*object));
  HF_TRY(request.logprobs, flag(*object, "logprobs"));
  HF_TRY(const auto top, integer_in(*object, "top_logprobs", 0, 20));
  if (top.value_or(0) > 0 && !request.logprobs) {
    return fail(Code::kInvalidInput, "'top_logprobs' is not supported without 'logprobs': true.");
  }
  request.top_logprobs = static_cast<std::uint32_t>(top.value_or(0));
  if (const json::value* grammar = find(*object, "grammar");
      grammar != nullptr && !grammar->is_null()) {
    if (!grammar->is_string()) return bad_field("grammar", "a string");
    request.grammar = grammar->get_string();
  }
  HF_TRY(const auto priority,
         integer_in(*object, "priority", std::numeric_limits<std::int32_t>::min(),
                    std::numeric_limits<std::int32_t>::max()));
  request.priority = static_cast<std::int32_t>(priority.value_or(0));
  return request;
}

std::string write_chat_request(const ChatRequest& request) {
  json::array messages;
  for (const ChatMessage& message : request.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  json::object object{{"model", request.model}, {"messages", std::move(messages)}};
  if (request.stream) object["stream"] = true;
  if (request.include_usage) object["stream_options"] = {{"include_usage", true}};
  if (request.max_tokens) object["max_tokens"] = request.max_tokens->count();
  if (request.temperature) object["temperature"] = *request.temperature;
  if (request.top_p) object["top_p"] = *request.top_p;
  if (request.seed) object["seed"] = static_cast<std::int64_t>(*request.seed);
  if (!request.stop.empty()) object["stop"] = json::array(request.stop.begin(), request.stop.end());
  if (request.logprobs) object["logprobs"] = true;
  if (request.top_logprobs > 0) object["top_logprobs"] = request.top_logprobs;
  if (!request.grammar.empty()) object["grammar"] = request.grammar;
  if (request.priority != 0) object["priority"] = request.priority;
  return to_text(object);
}

std::string write_chat_answer(const ChatPiece& piece) {
  return to_text(answer_json(piece, "chat.completion", "message",
                             {{"role", "assistant"}, {"content", piece.content}}));
}

std::string write_chat_chunk(const ChatPiece& piece, bool first) {
  json::object delta;
  if (first) delta["role"] = "assistant";
  if (first || !piece.content.empty()) delta["content"] = piece.content;
  return to_text(answer_json(piece, "chat.completion.chunk", "delta", std::move(delta)));
}

Result<ChatPiece> read_chat_answer(std::string_view body) {
  return read_piece(body, "message");
}

Result<ChatPiece> read_chat_chunk(std::string_view data) {
  return read_piece(data, "delta");
}

std::string write_chat_error(std::string_view message, std::string_view type,
                             std::string_view code) {
  return to_text(json::object{
      {"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", code}}}});
}

std::string read_chat_error(std::string_view body) {
  std::string message;
  if (const auto value = parse_json(body); value && value->is_object()) {
    const json::object& object = value->get_object();
    if (const json::object* error = find_object(object, "error")) {
      message = find_string(*error, "message").value_or("");
    } else {
      message = find_string(object, "error").value_or(find_string(object, "message").value_or(""));
    }
  }
  message = repair_utf8(message.empty() ? body : message);  // First: it may make it longer.
  if (message.size() > kErrorBytesMax) {
    message.resize(complete_utf8_prefix(std::string_view(message).substr(0, kErrorBytesMax)));
  }
  std::replace_if(
      message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; },
      ' ');
  return message;
}

std::string sse_frame(std::string_view data) {
  return fmt::format("data: {}\n\n", data);
}

}  // namespace hf::wire
