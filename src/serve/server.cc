#include "serve/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "serve/loopback.h"
#include "serve/openapi.h"
#include "wire/hybrid_reply.h"

namespace hf::serve {
namespace {

// Whether a path is of a pattern's form; what stands for {run} or {model}.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const std::size_t at = pattern.find('{');
  if (at == std::string_view::npos)
    return pattern == path ? std::optional(std::string_view()) : std::nullopt;
  const std::size_t end = pattern.find('}');
  const bool is_name = pattern.substr(at, end - at) == "{model";  // It may have a slash in it.
  const std::string_view behind = pattern.substr(end + 1);
  if (path.size() <= at + behind.size() || !path.starts_with(pattern.substr(0, at)) ||
      !path.ends_with(behind))
    return std::nullopt;
  const std::string_view part = path.substr(at, path.size() - at - behind.size());
  return part.contains('/') && !is_name ? std::nullopt : std::optional(part);
}

// `%2F` and the like; what is no such thing stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const begin = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(begin, begin + 2, value, 16).ptr == begin + 2) {
      result += static_cast<char>(value);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

const Server::Route Server::kRoutes[] = {
    {"POST", "/v1/chat/completions", &Server::chat},
    {"POST", "/v1/embeddings", &Server::embed},
    {"GET", "/v1/models", &Server::list_models},
    {"GET", "/v1/models/{model}", &Server::show_model},
    {"GET", "/v1/runs", &Server::list_runs},
    {"GET", "/v1/runs/{run}", &Server::show_run},
    {"DELETE", "/v1/runs/{run}", &Server::cancel_run},
    {"GET", "/v1/runs/{run}/events", &Server::follow_run},
    {"POST", "/v1/runs/{run}/feedback", &Server::take_feedback},
    {"GET", "/v1/budgets", &Server::show_budgets},
    {"GET", "/metrics", &Server::show_metrics},
    {"GET", "/health", &Server::show_health, true},
    {"GET", "/ready", &Server::show_ready, true},
    {"GET", "/openapi.json", &Server::show_openapi, true},
};

Server::Server(net::EventLoop& loop, std::unique_ptr<Runtime> runtime, const Config& config,
               ServerOptions options)
    : loop_(loop),
      options_(options),
      access_({.keys = options.keys, .unix_time = [this] { return unix_time(); }}),
      book_(options.receipts_max, options.receipt_bytes_max) {
  use(std::move(runtime), config);
}

Server::~Server() = default;

void Server::use(std::unique_ptr<Runtime> runtime, const Config& config) {
  // Accounts of the runtime before are closed while it is still there.
  const auto before =
      std::exchange(service_, std::make_shared<Service>(std::move(runtime), config));
  std::optional<std::string> scope;
  if (config.ledger && !config.ledger->scope.empty()) scope = config.ledger->scope;
  access_.pay_at(*service_->runtime, {.session = config.serve.session, .scope = scope});
}

void Server::handle(const net::Request& request, const ResponderPtr& responder) {
  const std::string_view host = request.header("host");
  if (options_.is_for_this_machine && !host.empty() && !is_loopback(host_of(host))) {
    return refuse(responder,
                  {403, "host_not_allowed",
                   "This server is for this machine: call it localhost, 127.0.0.1 or [::1].", ""});
  }
  std::string allowed;
  for (const Route& route : kRoutes) {
    const auto part = match(route.path, request.path);
    if (!part) continue;
    if (request.method == route.method || (request.method == "HEAD" && route.method == "GET"))
      return dispatch(route, *part, request, responder);
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", route.method);
  }
  if (allowed.empty())
    return refuse(responder, {404, "not_found", "There is nothing at this path.", ""});
  refuse(responder,
         {405, "method_not_allowed", fmt::format("This path takes {} only.", allowed), ""},
         {{"Allow", allowed}});
}

void Server::dispatch(const Route& route, std::string_view part, const net::Request& request,
                      const ResponderPtr& responder) {
  Ask ask{.request = request, .responder = responder, .caller = {}, .part = part};
  if (!route.is_public) {
    auto caller = access_.enter(request);
    if (!caller) return refuse(responder, caller.error());
    ask.caller = *std::move(caller);
  }
  (this->*route.handle)(ask);
}

void Server::refuse(const ResponderPtr& responder, const Problem& problem, net::Headers headers) {
  metrics_.count_refusal(problem.code);
  serve::refuse(*responder, problem, std::move(headers));
}

void Server::list_models(const Ask& ask) {
  std::vector<std::string> names;
  for (const std::string& name : service_->targets.names()) {
    if (access_.may_name(ask.caller, name)) names.push_back(name);
  }
  ask.responder->send(200, kJson, wire::write_models(names, options_.started));
}

void Server::show_model(const Ask& ask) {
  const std::string name = percent_decoded(ask.part);
  const auto& names = service_->targets.names();
  if (std::ranges::find(names, name) == names.end() || !access_.may_name(ask.caller, name)) {
    return refuse(ask.responder, {404, "model_not_found",
                                  "There is no such model; GET /v1/models lists them.", ""});
  }
  ask.responder->send(200, kJson, wire::write_model(name, options_.started));
}

void Server::show_health(const Ask& ask) {
  ask.responder->send(200, kJson, R"({"status":"ok"})");
}

void Server::show_ready(const Ask& ask) {
  if (is_draining_) return ask.responder->send(503, kJson, R"({"status":"draining"})");
  ask.responder->send(200, kJson, R"({"status":"ready"})");
}

void Server::show_metrics(const Ask& ask) {
  ask.responder->send(
      200, "text/plain; version=0.0.4",
      metrics_.text({.runs_in_flight = runs_.size(),
                     .history_dropped = options_.keeper != nullptr ? options_.keeper->dropped() : 0,
                     .started = options_.started,
                     .is_draining = is_draining_}));
}

void Server::show_openapi(const Ask& ask) {
  ask.responder->send(200, kJson, std::string(openapi()));
}

void Server::show_budgets(const Ask& ask) {
  std::vector<wire::BudgetLine> lines;
  const auto durable = service_->runtime->durable_budgets();
  if (!durable) {
    return refuse(ask.responder,
                  {503, "budget_unavailable",
                   fmt::format("The budgets cannot be read: {}.", durable.error().message), ""});
  }
  std::vector<std::string> shown;
  for (const Access::Account& account : access_.accounts(ask.caller)) {
    wire::BudgetLine& line = lines.emplace_back();
    line.name = account.name;
    line.scope = account.scope;
    line.state = account.state;
    line.renews_at = account.renews_at;
    const auto row = std::ranges::find(durable->scopes, account.scope, &store::ScopeRow::name);
    if (account.scope.empty() || row == durable->scopes.end()) continue;
    shown.push_back(account.scope);
    // What is leased and not spent is held, here or by another process.
    line.state = {.usd_limit = row->usd_limit,
                  .cloud_tokens_limit = row->tokens_limit,
                  .spent = row->spent,
                  .held = row->leased};
  }
  const std::string& own = service_->config.ledger ? service_->config.ledger->scope : std::string();
  for (const store::ScopeRow& row : durable->scopes) {
    const bool is_own = !own.empty() && row.name == own;
    if (ask.caller.key != 0 || !is_own) continue;
    lines.push_back({.name = row.name,
                     .scope = row.name,
                     .state = {.usd_limit = row.usd_limit,
                               .cloud_tokens_limit = row.tokens_limit,
                               .spent = row.spent,
                               .held = row.leased},
                     .renews_at = {}});
  }
  if (ask.caller.key == 0) {
    lines.push_back({.name = "process",
                     .scope = "",
                     .state = service_->runtime->account_state(AccountId{}),
                     .renews_at = {}});
  }
  ask.responder->send(200, kJson, wire::write_budgets(lines));
}

void Server::drain(std::move_only_function<void()> idle) {
  is_draining_ = true;
  idle_ = std::move(idle);
  tell_if_idle();
}

void Server::tell_if_idle() {
  if (idle_ && runs_.empty()) loop_.post(std::exchange(idle_, nullptr));
}

void Server::cancel(std::string_view run) {
  if (const auto found = runs_.find(run); found != runs_.end())
    found->second.service->runtime->cancel(found->second.query);
}

void Server::cancel_all() {
  std::vector<std::string> names;
  for (const auto& [name, run] : runs_) names.push_back(name);
  for (const std::string& name : names) cancel(name);
}

std::int64_t Server::unix_time() const {
  return options_.started +
         std::chrono::duration_cast<std::chrono::seconds>(loop_.now().time_since_epoch()).count();
}

}  // namespace hf::serve
