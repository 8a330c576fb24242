#include "engine/service.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "wire/json.h"

namespace hf::engine {
namespace {

constexpr std::string_view kJson = "application/json";

JobFailed queue_full() {
  return {429, "Too many requests are waiting; try again in a second.", "queue_full"};
}

std::string embeddings_json(const Embeddings& embeddings, std::string_view model) {
  wire::json::array data;
  for (std::size_t i = 0; i < embeddings.vectors.size(); ++i) {
    const std::vector<float>& vector = embeddings.vectors[i];
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", wire::json::array(vector.begin(), vector.end())}});
  }
  const std::int64_t tokens = embeddings.tokens.count();
  return wire::to_text(
      wire::json::object{{"object", "list"},
                         {"model", model},
                         {"data", std::move(data)},
                         {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

// The texts of an embeddings request: one string or an array of them.
Result<std::vector<std::string>> read_inputs(const wire::json::object& object) {
  std::vector<std::string> texts;
  const wire::json::value* input = wire::find(object, "input");
  if (input != nullptr && input->is_string()) {
    texts.emplace_back(input->get_string());
  } else if (input != nullptr && input->is_array()) {
    for (const wire::json::value& text : input->get_array()) {
      if (!text.is_string()) break;
      texts.emplace_back(text.get_string());
    }
    if (texts.size() != input->get_array().size()) texts.clear();
  }
  if (texts.empty() || texts.size() > Service::kInputsMax) {
    return fail(Code::kInvalidInput,
                fmt::format("'input' must be a string or an array of 1 to {} strings.",
                            Service::kInputsMax));
  }
  return texts;
}

}  // namespace

Service::Service(net::EventLoop& loop, Worker& worker, const Stats& stats, Options options)
    : loop_(loop), worker_(worker), stats_(stats), options_(std::move(options)) {}

void Service::handle(net::Request request, ResponderPtr responder) {
  struct Route {
    std::string_view method;
    std::string_view path;
    std::function<void()> run;
  };
  const Route routes[] = {
      {"POST", "/v1/chat/completions", [&] { chat(request, responder); }},
      {"POST", "/v1/embeddings", [&] { embeddings(request, responder); }},
      {"POST", "/tokenize", [&] { tokenize(request, responder); }},
      {"GET", "/v1/models", [&] { models(*responder); }},
      {"GET", "/health", [&] { health(*responder); }},
      {"GET", "/metrics", [&] { metrics(*responder); }},
  };
  for (const Route& route : routes) {
    if (request.path != route.path) continue;
    if (request.method == route.method) return route.run();
    ++answered_[405];
    net::Headers allow = headers();
    allow.emplace_back("Allow", route.method);
    return send_error(*responder, 405, fmt::format("{} takes {} only.", route.path, route.method),
                      "method_not_allowed", std::move(allow));
  }
  refuse(*responder, 404, "There is nothing at this path.", "not_found");
}

void Service::model_is_ready(const Model& model) {
  model_ = &model;
  for (const auto& run : std::exchange(when_ready_, {})) run();
}

void Service::chat(const net::Request& request, ResponderPtr responder) {
  const TimePoint arrival = loop_.now();
  Result<wire::ChatRequest> chat = wire::read_chat_request(request.body);
  if (!chat) return refuse(*responder, 400, chat.error().message, "invalid_request");
  if (!is_known(chat->model)) {
    return refuse(
        *responder, 404,
        fmt::format("The model '{}' is not served here; it is '{}'.", chat->model, options_.name),
        "model_not_found");
  }
  const auto number = ++last_job_;
  const auto id = JobId(number);
  ChatReply::Options reply{.is_streamed = chat->stream,
                           .wants_usage = chat->include_usage,
                           .head = {},
                           .headers = headers(),
                           .pace = {},
                           .fate = {}};
  reply.head.id = fmt::format("chatcmpl-{:x}-{:x}", options_.started, number);
  reply.head.model = options_.name;
  reply.head.created = unix_time();
  if (options_.lab.is_lab()) {
    reply.pace = LabPace(options_.lab, arrival);
    reply.fate = lab_fate(options_.lab, number);
  }
  const LabFate fate = reply.fate;
  Chat& entry = chats_[id];
  responder->on_close([this, id] {
    if (const auto found = chats_.find(id); found != chats_.end()) found->second.reply->abandon();
  });
  entry.reply = std::make_unique<ChatReply>(loop_, std::move(responder), std::move(reply),
                                            [this, id](int status) { end_chat(id, status); });
  if (fate.kind == LabFate::Kind::kError) {
    return entry.reply->push(JobFailed{500, "The lab let this request fail.", "lab_failure"});
  }
  if (options_.lab_cache) {
    entry.lab_key = LabCache::key(options_.name, *chat);
    if (const auto pieces = options_.lab_cache->find(entry.lab_key)) return replay(id, *pieces);
  }
  start(id, *std::move(chat));
}

void Service::replay(JobId id, const std::vector<wire::ChatPiece>& pieces) {
  Chat& chat = chats_.at(id);
  chat.lab_key.clear();
  for (const wire::ChatPiece& piece : pieces) chat.reply->push(piece);
}

void Service::start(JobId id, wire::ChatRequest request) {
  Chat& entry = chats_.at(id);
  const auto deliver = [this, id](Update update) { update_chat(id, std::move(update)); };
  Job job{.id = id, .ask = std::move(request), .tell = to_loop(deliver)};
  entry.is_working = worker_.submit(std::move(job));
  if (!entry.is_working) entry.reply->push(queue_full());
}

void Service::update_chat(JobId id, Update update) {
  const auto found = chats_.find(id);
  if (found == chats_.end()) return;
  Chat& chat = found->second;
  const auto* piece = std::get_if<wire::ChatPiece>(&update);
  if (piece == nullptr || piece->finish_reason) chat.is_working = false;
  if (piece != nullptr && !chat.lab_key.empty()) {
    chat.recorded.push_back(*piece);
    if (piece->finish_reason) {
      // An answer that cannot be kept is still an answer; the next run asks the model again.
      const auto kept = options_.lab_cache->keep(chat.lab_key, chat.recorded);
      if (!kept) fmt::print(stderr, "hybridflow engine: {}\n", kept.error().message);
    }
  }
  chat.reply->push(std::move(update));
}

void Service::end_chat(JobId id, int status) {
  ++answered_[status];
  const auto found = chats_.find(id);
  if (found == chats_.end()) return;
  if (found->second.is_working) worker_.cancel(id);
  chats_.erase(found);
}

void Service::embeddings(const net::Request& request, ResponderPtr responder) {
  const auto value = wire::parse_json(request.body);
  if (!value || !value->is_object()) {
    return refuse(*responder, 400,
                  value ? "The body must be a JSON object." : value.error().message,
                  "invalid_request");
  }
  const wire::json::object& object = value->get_object();
  const std::string_view model = wire::find_string(object, "model").value_or("");
  if (!is_known(model)) {
    return refuse(*responder, 404, fmt::format("The model '{}' is not served here.", model),
                  "model_not_found");
  }
  Result<std::vector<std::string>> texts = read_inputs(object);
  if (!texts) return refuse(*responder, 400, texts.error().message, "invalid_request");

  const auto id = JobId(++last_job_);
  responder->on_close([this, id] {
    worker_.cancel(id);
    embeds_.erase(id);
  });
  embeds_[id] = std::move(responder);
  const auto deliver = [this, id](const Update& update) { answer_embeddings(id, update); };
  if (!worker_.submit({.id = id, .ask = *std::move(texts), .tell = to_loop(deliver)})) {
    answer_embeddings(id, queue_full());
  }
}

void Service::answer_embeddings(JobId id, const Update& update) {
  const auto found = embeds_.extract(id);
  if (found.empty()) return;
  net::Responder& responder = *found.mapped();
  if (const auto* failure = std::get_if<JobFailed>(&update)) return refuse(responder, *failure);
  answer(responder, embeddings_json(std::get<Embeddings>(update), options_.name));
}

void Service::tokenize(const net::Request& request, const ResponderPtr& responder) {
  if (model_ != nullptr) return count_tokens(request, *responder);
  if (when_ready_.size() >= options_.queue) return refuse(*responder, queue_full());
  when_ready_.emplace_back([this, request, responder] { count_tokens(request, *responder); });
  worker_.load_now();
}

void Service::count_tokens(const net::Request& request, net::Responder& responder) {
  const auto value = wire::parse_json(request.body);
  const wire::json::object* object = value ? value->if_object() : nullptr;
  std::size_t count = 0;
  if (object != nullptr && wire::find(*object, "messages") != nullptr) {
    const auto chat = wire::read_chat_request(request.body);
    if (!chat) return refuse(responder, 400, chat.error().message, "invalid_request");
    const auto prompt = model_->prompt(chat->messages);
    if (!prompt) return refuse(responder, 400, prompt.error().message, "invalid_prompt");
    count = prompt->size();
  } else if (const auto text =
                 object != nullptr ? wire::find_string(*object, "content") : std::nullopt) {
    count = model_->tokenize(*text).size();
  } else {
    return refuse(responder, 400, "The body must be {\"content\": text} or {\"messages\": [...]}.",
                  "invalid_request");
  }
  answer(responder, wire::to_text(wire::json::object{{"tokens", count}, {"count", count}}));
}

void Service::models(net::Responder& responder) {
  const wire::json::object model{{"id", options_.name},
                                 {"object", "model"},
                                 {"created", options_.started},
                                 {"owned_by", "hybridflow"}};
  answer(responder,
         wire::to_text(wire::json::object{{"object", "list"}, {"data", wire::json::array{model}}}));
}

void Service::health(net::Responder& responder) {
  if (model_ != nullptr || options_.loading == Loading::kWhenNeeded) {
    return responder.send(200, kJson, R"({"status":"ok"})", headers());
  }
  responder.send(503, kJson, R"({"status":"loading"})", headers());
}

void Service::metrics(net::Responder& responder) {
  std::string text = "# TYPE hybridflow_engine_requests_total counter\n";
  for (const auto& [status, count] : answered_) {
    text += fmt::format("hybridflow_engine_requests_total{{status=\"{}\"}} {}\n", status, count);
  }
  const auto add = [&text](std::string_view name, std::string_view type, double value) {
    text += fmt::format("# TYPE hybridflow_engine_{0} {1}\nhybridflow_engine_{0} {2}\n", name, type,
                        value);
  };
  const auto number = [](const std::atomic<std::uint64_t>& counter) {
    return static_cast<double>(counter.load());
  };
  add("prompt_tokens_total", "counter", number(stats_.prompt_tokens));
  add("cached_tokens_total", "counter", number(stats_.cached_tokens));
  add("completion_tokens_total", "counter", number(stats_.completion_tokens));
  add("decode_seconds_total", "counter", number(stats_.decode_microseconds) / 1e6);
  add("decode_steps_total", "counter", number(stats_.decode_steps));
  add("queue_length", "gauge", number(stats_.queued));
  add("active_sequences", "gauge", number(stats_.active));
  add("threads", "gauge", number(stats_.threads));
  add("kv_cells_used", "gauge", number(stats_.cells_used));
  add("kv_cells", "gauge", number(stats_.cells));
  responder.send(200, "text/plain; version=0.0.4", std::move(text), headers());
}

void Service::refuse(net::Responder& responder, int status, std::string_view message,
                     std::string_view code) {
  ++answered_[status];
  send_error(responder, status, message, code, headers());
}

void Service::refuse(net::Responder& responder, const JobFailed& failure) {
  refuse(responder, failure.status, failure.message, failure.code);
}

void Service::answer(net::Responder& responder, std::string body) {
  ++answered_[200];
  responder.send(200, kJson, std::move(body), headers());
}

// The worker's thread must touch nothing of this one: it only posts, and `deliver` must own nothing
// of it, because the worker may be the last to let go of it.
std::function<void(Update)> Service::to_loop(std::function<void(Update)> deliver) {
  return [this, deliver = std::move(deliver)](Update update) {
    loop_.post([deliver, update = std::move(update)]() mutable { deliver(std::move(update)); });
  };
}

bool Service::is_known(std::string_view model) const {
  return model.empty() || model == "default" || model == options_.name;
}

std::int64_t Service::unix_time() const {
  return options_.started +
         std::chrono::duration_cast<std::chrono::seconds>(loop_.now().time_since_epoch()).count();
}

net::Headers Service::headers() const {
  return options_.lab.is_lab() ? net::Headers{{"x-hybridflow-lab", "1"}} : net::Headers{};
}

}  // namespace hf::engine
