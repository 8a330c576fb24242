#include "serve/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "runtime/run_id.h"
#include "serve/loopback.h"
#include "wire/hybrid_reply.h"
#include "wire/receipt_json.h"

namespace hf::serve {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kRuns = "/v1/runs/";

bool is_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return std::ranges::equal(content_type, kJson, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// Nobody gets more than the configuration allows, and who asks for more is told.
template <class Limit>
void lower(std::optional<Limit>& limit, const std::optional<Limit>& asked, std::string_view field,
           std::vector<std::string>& lowered) {
  if (!asked) return;
  if (limit && *asked > *limit) {
    lowered.emplace_back(field);
  } else {
    limit = asked;
  }
}

}  // namespace

Server::Server(net::EventLoop& loop, Runtime& runtime, const Config& config, ServerOptions options)
    : loop_(loop),
      runtime_(runtime),
      targets_(config),
      budget_(config.query_budget),
      answer_tokens_max_(config.answer_tokens_max),
      options_(options),
      receipts_(options.receipts_max, options.receipt_bytes_max) {}

void Server::handle(const net::Request& request, const ResponderPtr& responder) {
  struct Route {
    std::string_view method;
    std::string_view path;
    std::function<void()> run;
  };
  const std::string_view host = request.header("host");
  if (options_.is_for_this_machine && !host.empty() && !is_loopback(host_of(host))) {
    return refuse(*responder,
                  {403, "host_not_allowed",
                   "This server is for this machine: call it localhost, 127.0.0.1 or [::1].", ""});
  }
  const bool is_run = request.path.starts_with(kRuns);
  const std::string run = is_run ? request.path.substr(kRuns.size()) : std::string();
  const std::string_view path = is_run && !run.empty() ? kRuns : std::string_view(request.path);
  const Route routes[] = {
      {"POST", "/v1/chat/completions", [&] { chat(request, responder); }},
      {"GET", "/v1/models",
       [&] {
         responder->send(200, kJson, wire::write_models(targets_.names(), options_.started));
       }},
      {"GET", kRuns, [&] { show_run(run, *responder); }},
      {"DELETE", kRuns, [&] { cancel_run(run, *responder); }},
      {"GET", "/health", [&] { responder->send(200, kJson, R"({"status":"ok"})"); }},
      {"GET", "/ready", [&] { ready(*responder); }},
  };
  std::string allowed;
  for (const Route& route : routes) {
    if (path != route.path || (is_run && run.empty())) continue;
    if (request.method == route.method || (request.method == "HEAD" && route.method == "GET"))
      return route.run();
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", route.method);
  }
  if (allowed.empty()) {
    return refuse(*responder, {404, "not_found", "There is nothing at this path.", ""});
  }
  refuse(*responder,
         {405, "method_not_allowed", fmt::format("This path takes {} only.", allowed), ""},
         {{"Allow", allowed}});
}

void Server::chat(const net::Request& request, const ResponderPtr& responder) {
  if (!is_json(request.header("content-type"))) {
    return refuse(*responder,
                  {415, "unsupported_media_type",
                   "The body must be JSON and say so: Content-Type: application/json.", ""});
  }
  auto read = wire::read_hybrid_request(request.body);
  if (!read) {
    wire::RequestFault& fault = read.error();
    return refuse(*responder,
                  {400, std::move(fault.code), std::move(fault.message), std::move(fault.param)});
  }
  const std::optional<Target> target = targets_.find(read->chat.model);
  if (!target) {
    return refuse(*responder, {404, "model_not_found",
                               fmt::format("There is no model '{}'; GET /v1/models lists them.",
                                           read->chat.model),
                               "model"});
  }
  if (read->must_stay_local && !target->has_edge) {
    return refuse(*responder, {400, "privacy_local_impossible",
                               fmt::format("'{}' is not local, but the request must stay local.",
                                           read->chat.model),
                               "hybridflow.privacy"});
  }
  if (is_draining_) {
    return refuse(*responder, {503, "shutting_down", "The server is about to end.", ""});
  }
  if (runs_.size() >= options_.runs_max) {
    return refuse(
        *responder,
        {429, "too_many_runs",
         fmt::format("{} runs are under way, which is the limit; try again soon.", runs_.size()),
         ""});
  }
  start(*std::move(read), *target, responder);
}

void Server::start(wire::HybridRequest request, const Target& target,
                   const ResponderPtr& responder) {
  ChatRun::Options options{.run = make_run_id(),
                           .model = request.chat.model,
                           .created = unix_time(),
                           .is_streamed = request.chat.stream,
                           .wants_usage = request.chat.include_usage,
                           .lowered = {}};
  const std::string run = options.run;
  UserQuery query = query_of(std::move(request), target, options.lowered);
  query.run = run;
  Run& entry = runs_[run];
  entry.chat = std::make_unique<ChatRun>(
      responder, std::move(options), [this, run] { cancel(run); },
      [this, run](const Receipt& receipt) { finish(run, receipt); });
  entry.query = runtime_.submit(std::move(query), *entry.chat);
}

UserQuery Server::query_of(wire::HybridRequest request, const Target& target,
                           std::vector<std::string>& lowered) const {
  UserQuery query;
  query.budget = budget_;
  lower(query.budget.usd, request.budget.usd, "hybridflow.budget.usd", lowered);
  lower(query.budget.cloud_tokens, request.budget.cloud_tokens, "hybridflow.budget.cloud_tokens",
        lowered);
  lower(query.budget.deadline, request.budget.deadline, "hybridflow.deadline_ms", lowered);
  std::optional<Tokens> answer_tokens = answer_tokens_max_;
  lower(answer_tokens, request.chat.max_tokens, "max_tokens", lowered);
  query.style = {.max_tokens = answer_tokens,
                 .temperature = request.chat.temperature,
                 .top_p = request.chat.top_p,
                 .seed = request.chat.seed,
                 .stop = std::move(request.chat.stop)};
  query.seed = request.chat.seed.value_or(0);
  query.plan = request.plan.value_or(target.goes_whole ? PlanMode::kNever : PlanMode::kAuto);
  query.local_only = request.must_stay_local;
  query.among = target.among;
  query.question = request.chat.messages.back().content;
  query.messages = std::move(request.chat.messages);
  return query;
}

void Server::finish(const std::string& run, const Receipt& receipt) {
  receipts_.keep(run, wire::to_text(wire::receipt_json(receipt)));
  // In a later turn: its own function is on the stack.
  loop_.post([dead = runs_.extract(run)] {});
  tell_if_idle();
}

void Server::drain(std::move_only_function<void()> idle) {
  is_draining_ = true;
  idle_ = std::move(idle);
  tell_if_idle();
}

void Server::tell_if_idle() {
  if (idle_ && runs_.empty()) loop_.post(std::exchange(idle_, nullptr));
}

void Server::cancel(const std::string& run) {
  if (const auto found = runs_.find(run); found != runs_.end())
    runtime_.cancel(found->second.query);
}

void Server::cancel_all() {
  std::vector<QueryId> queries;
  for (const auto& [name, run] : runs_) queries.push_back(run.query);
  for (const QueryId query : queries) runtime_.cancel(query);
}

void Server::show_run(std::string_view run, net::Responder& responder) const {
  if (const std::string* receipt = receipts_.find(run)) return responder.send(200, kJson, *receipt);
  if (runs_.contains(run)) return responder.send(200, kJson, wire::write_run_state(run, "running"));
  refuse(responder,
         {404, "run_not_found",
          fmt::format("There is no such run among the latest {}.", options_.receipts_max), ""});
}

void Server::cancel_run(const std::string& run, net::Responder& responder) {
  if (runs_.contains(run)) {
    cancel(run);
    return responder.send(202, kJson, wire::write_run_state(run, "cancelling"));
  }
  if (receipts_.find(run) != nullptr)
    return refuse(responder, {409, "run_is_over", "The run is over already.", ""});
  show_run(run, responder);  // That there is none.
}

void Server::ready(net::Responder& responder) const {
  if (is_draining_) return responder.send(503, kJson, R"({"status":"draining"})");
  responder.send(200, kJson, R"({"status":"ready"})");
}

std::int64_t Server::unix_time() const {
  return options_.started +
         std::chrono::duration_cast<std::chrono::seconds>(loop_.now().time_since_epoch()).count();
}

}  // namespace hf::serve
