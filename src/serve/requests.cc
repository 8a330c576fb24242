// From a request to a run: what is asked, whether it may be, and what becomes of it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/run_id.h"
#include "serve/chat_run.h"
#include "serve/forward_run.h"
#include "serve/server.h"

namespace hf::serve {
namespace {

// More than an image costs at any known service; added to what the bytes of a request bound.
constexpr std::uint32_t kImageTokens = 2'048;

constexpr std::size_t kKeyMax = 255;
constexpr std::string_view kIdempotencyKey = "idempotency-key";

constexpr std::uint32_t kPassedOnKept = 100;  // In the history, a second.

bool is_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return std::ranges::equal(content_type, std::string_view("application/json"), [](char a, char b) {
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

std::vector<EndpointId> of_tier(const Config& config, const std::vector<EndpointId>& among,
                                Tier tier) {
  std::vector<EndpointId> result;
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    const auto id = static_cast<EndpointId>(i);
    const bool is_meant = among.empty() || std::ranges::find(among, id) != among.end();
    if (is_meant && config.endpoints[i].endpoint.tier == tier) result.push_back(id);
  }
  return result;
}

// Whether a local endpoint is among those that the model and the policy leave.
bool has_local(const Config& config, const std::vector<EndpointId>& among,
               std::string_view policy) {
  for (const Tier tier : {Tier::kEdge, Tier::kCloud}) {
    if (policy == (tier == Tier::kEdge ? "cloud" : "edge")) continue;
    for (const EndpointId id : of_tier(config, among, tier)) {
      if (config.endpoints[index_of(id)].endpoint.is_local) return true;
    }
  }
  return false;
}

// What must be the same for two requests to be one: the body, and what headers say instead of it.
std::string identity_of(const net::Request& request) {
  std::string identity = request.body;
  for (const auto& [name, value] : request.headers) {
    if (name.starts_with("x-hybridflow-"))
      identity.append("\n").append(name).append(":").append(value);
  }
  return identity;
}

}  // namespace

void Server::chat(const Ask& ask) {
  if (auto problem = begin(ask, "/chat/completions")) refuse(ask.responder, *problem);
}

void Server::embed(const Ask& ask) {
  if (auto problem = begin(ask, "/embeddings")) refuse(ask.responder, *problem);
}

std::optional<Problem> Server::begin(const Ask& ask, std::string_view path) {
  const net::Request& request = ask.request;
  if (!is_json(request.header("content-type"))) {
    return Problem{415, "unsupported_media_type",
                   "The body must be JSON and say so: Content-Type: application/json.", ""};
  }
  if (const std::string_view encoding = request.header("content-encoding");
      !encoding.empty() && encoding != "identity") {
    return Problem{415, "unsupported_media_type",
                   "The body must come as it is, without a Content-Encoding.", ""};
  }
  const Targets& targets = service_->targets;
  const bool is_chat = path == "/chat/completions";
  const auto is_endpoint = [&](std::string_view model) {
    const auto target = targets.find(model);
    return target && target->is_endpoint;
  };
  auto read = is_chat ? wire::read_hybrid_request(request.body, is_endpoint, request.headers)
                      : wire::read_embeddings_request(request.body, request.headers);
  if (!read) {
    wire::RequestFault& fault = read.error();
    return Problem{400, std::move(fault.code), std::move(fault.message), std::move(fault.param)};
  }
  const std::optional<Target> target = targets.find(read->chat.model);
  if (!target) {
    return Problem{
        404, "model_not_found",
        fmt::format("There is no model '{}'; GET /v1/models lists them.", read->chat.model),
        "model"};
  }
  if (!is_chat && !target->is_endpoint) {
    return Problem{400, "invalid_value",
                   "Embeddings come from an endpoint: name one of those in GET /v1/models that do "
                   "not begin with hybrid/.",
                   "model"};
  }
  if (auto problem = check(*read, *target)) return problem;
  Ask own = ask;
  const auto is_key = [](const auto& header) { return header.first == kIdempotencyKey; };
  if (const auto keys = std::ranges::count_if(request.headers, is_key); keys > 0) {
    const std::string_view key = request.header(kIdempotencyKey);
    if (keys > 1 || key.empty() || key.size() > kKeyMax ||
        !std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; })) {
      return Problem{400, "invalid_value",
                     "An Idempotency-Key has 1 to 255 visible characters of ASCII, and comes once.",
                     "Idempotency-Key"};
    }
    const auto found = idempotency_.enter(fmt::format("{}/{}/{}", ask.caller.key, path, key),
                                          identity_of(request), unix_time(), own.responder);
    if (found == Idempotency::Found::kKnown) return std::nullopt;
    if (found == Idempotency::Found::kConflict) {
      return Problem{422, "idempotency_key_reused",
                     "The Idempotency-Key was used with another request; take a new one.", ""};
    }
  }
  auto ticket = access_.admit(ask.caller, read->chat.model, read->extension.session);
  if (!ticket) {
    refuse(own.responder, ticket.error());
    return std::nullopt;
  }
  start(*std::move(read), *target, own, *std::move(ticket), path);
  return std::nullopt;
}

std::optional<Problem> Server::check(const wire::HybridRequest& request,
                                     const Target& target) const {
  const std::string& policy = request.extension.policy;
  if (!policy.empty() && policy != "edge" && policy != "cloud" &&
      policy != service_->config.policy) {
    return Problem{
        403, "policy_not_allowed",
        fmt::format("The policy may be '{}', 'edge' or 'cloud' here.", service_->config.policy),
        "hybridflow.policy"};
  }
  if (policy == "edge" || policy == "cloud") {
    const Tier tier = policy == "edge" ? Tier::kEdge : Tier::kCloud;
    if (of_tier(service_->config, target.among, tier).empty()) {
      return Problem{400, "invalid_value",
                     fmt::format("'{}' has no endpoint of the {}.", request.chat.model, policy),
                     "hybridflow.policy"};
    }
  }
  if (request.extension.must_stay_local && !has_local(service_->config, target.among, policy)) {
    return Problem{400, "privacy_local_impossible",
                   fmt::format("'{}' has no endpoint that is known to be local, but the request "
                               "must stay local.",
                               request.chat.model),
                   "hybridflow.privacy"};
  }
  if (target.is_endpoint && request.extension.plan == PlanMode::kAlways) {
    return Problem{400, "invalid_value",
                   fmt::format("What '{}' is asked is passed on whole and has no plan; ask "
                               "hybrid/auto for one.",
                               request.chat.model),
                   "hybridflow.plan"};
  }
  if (is_draining_) return Problem{503, "shutting_down", "The server is about to end.", ""};
  if (runs_.size() >= service_->config.serve.runs) {
    return Problem{
        429, "too_many_runs",
        fmt::format("{} runs are under way, which is the limit; try again soon.", runs_.size()),
        ""};
  }
  return std::nullopt;
}

void Server::start(wire::HybridRequest request, const Target& target, const Ask& ask,
                   Access::Ticket ticket, std::string_view path) {
  const bool is_forwarded = target.is_endpoint || !request.passed_on_for.empty();
  ClientRun::Options options{.run = make_run_id(),
                             .model = request.chat.model,
                             .created = unix_time(),
                             .is_streamed = request.chat.stream,
                             .wants_usage = request.chat.include_usage,
                             .shows_progress = request.extension.progress,
                             .outlives_client = !ask.request.header(kIdempotencyKey).empty(),
                             .adds_summary = !target.is_endpoint,
                             .lowered = {}};
  UserQuery query = query_of(request, target, options.lowered);
  if (is_forwarded) {
    forward(query, std::move(request), ask, path);
  } else {
    write_prompt(query, std::move(request), options.lowered);
  }
  query.run = options.run;
  query.account = ticket.account();

  const auto place = runs_.try_emplace(options.run).first;
  const std::string_view run = place->first;
  Run& entry = place->second;
  entry.service = service_;
  entry.caller = ask.caller;
  entry.ticket = std::move(ticket);
  entry.question = query.question;
  entry.is_forwarded = is_forwarded;
  ClientRun::Hooks hooks{.give_up = [this, run] { cancel(run); },
                         .done = [this, run](Receipt done) { finish(run, std::move(done)); },
                         .renews_in =
                             [this](const Refusal& refusal) {
                               const auto at = access_.renewal_of(refusal.scope);
                               return at ? std::max<std::int64_t>(*at - unix_time(), 1) : 0;
                             }};
  const auto& endpoints = service_->config.endpoints;
  if (is_forwarded) {
    entry.client = std::make_unique<ForwardRun>(ask.responder, endpoints, std::move(options),
                                                std::move(hooks));
  } else {
    entry.client =
        std::make_unique<ChatRun>(ask.responder, endpoints, std::move(options), std::move(hooks));
  }
  entry.query = service_->runtime->submit(std::move(query), *entry.client);
}

UserQuery Server::query_of(const wire::HybridRequest& request, const Target& target,
                           std::vector<std::string>& lowered) const {
  const Config& config = service_->config;
  const wire::RequestExtension& extension = request.extension;
  UserQuery query;
  query.budget = config.query_budget;
  lower(query.budget.usd, extension.budget.usd, "hybridflow.budget.usd", lowered);
  lower(query.budget.cloud_tokens, extension.budget.cloud_tokens, "hybridflow.budget.cloud_tokens",
        lowered);
  lower(query.budget.deadline, extension.budget.deadline, "hybridflow.deadline_ms", lowered);
  query.local_only = extension.must_stay_local;
  query.among = target.among;
  if (extension.policy == "edge" || extension.policy == "cloud") {
    query.among =
        of_tier(config, target.among, extension.policy == "edge" ? Tier::kEdge : Tier::kCloud);
    query.policy = extension.policy;
  }
  query.plan = extension.plan.value_or(target.goes_whole ? PlanMode::kNever : PlanMode::kAuto);
  return query;
}

// What this program itself makes prompts of.
void Server::write_prompt(UserQuery& query, wire::HybridRequest request,
                          std::vector<std::string>& lowered) const {
  std::optional<Tokens> answer_tokens = service_->config.answer_tokens_max;
  lower(answer_tokens, request.chat.max_tokens, "max_tokens", lowered);
  query.style = {.max_tokens = answer_tokens,
                 .temperature = request.chat.temperature,
                 .top_p = request.chat.top_p,
                 .seed = request.chat.seed,
                 .stop = std::move(request.chat.stop)};
  query.seed = request.chat.seed.value_or(0);
  query.question = request.chat.messages.back().content;
  query.messages = std::move(request.chat.messages);
}

// The request as it came. Where money counts, what the books need is put in: a cap of the answer,
// and that the end of a stream tells its usage.
void Server::forward(UserQuery& query, wire::HybridRequest request, const Ask& ask,
                     std::string_view path) const {
  const Config& config = service_->config;
  query.plan = PlanMode::kNever;
  query.question = std::move(request.question);
  const auto is_metered = [&](EndpointId id) {
    const Endpoint& endpoint = config.endpoints[index_of(id)].endpoint;
    return endpoint.tier == Tier::kCloud && (endpoint.is_local || !query.local_only);
  };
  bool may_cost = query.among.empty();
  for (const EndpointId id : query.among) may_cost |= is_metered(id);
  const bool is_chat = path == "/chat/completions";
  const bool asks_for_usage = may_cost && request.chat.stream && !request.chat.include_usage;
  const auto& cap = request.chat.max_tokens;
  query.style.max_tokens = is_chat ? cap.value_or(config.serve.answer_tokens) : Tokens(0);
  wire::RawObject::Halves body = wire::passed_on_body(ask.request.body, asks_for_usage);
  const std::size_t bytes = body.before.size() + body.after.size();
  query.forward = Forward{.path = std::string(path),
                          .before = std::move(body.before),
                          .after = std::move(body.after),
                          .prompt_tokens_max = static_cast<std::uint32_t>(
                              bytes + std::size_t{request.images} * kImageTokens),
                          .adds_cap = is_chat && may_cost && !cap,
                          .is_streamed = is_chat && request.chat.stream,
                          .hides_usage = asks_for_usage};
}

// A row of the history costs more than passing a request on: of those, what is beyond is only
// counted. Nothing can be learned from them.
bool Server::may_keep(const Run& run) {
  if (!run.is_forwarded) return true;
  const std::int64_t now = unix_time();
  if (std::exchange(kept_in_, now) != now) kept_count_ = 0;
  if (kept_count_ >= kPassedOnKept) {
    metrics_.count_not_kept();
    return false;
  }
  ++kept_count_;
  return true;
}

// Other processes may want what idle keys have leased.
void Server::sweep_later() {
  if (sweep_) return;
  sweep_ = loop_.at(loop_.now() + options_.idle, [this] {
    const auto done = std::move(sweep_);
    if (access_.give_back_idle(options_.idle)) sweep_later();
  });
}

void Server::finish(std::string_view run, Receipt receipt) {
  auto over = runs_.extract(runs_.find(run));
  const Run& entry = over.mapped();
  metrics_.count_run(entry.client->options().model, receipt);
  const auto kept = std::make_shared<const Receipt>(std::move(receipt));
  book_.keep({.owner = entry.caller.label,
              .model = entry.client->options().model,
              .created = entry.client->options().created,
              .receipt = kept});
  if (options_.keeper != nullptr && may_keep(entry)) {
    options_.keeper->keep({.receipt = kept,
                           .question = entry.question,
                           .key = entry.caller.label,
                           .at = unix_time()});
  }
  over.mapped().ticket = {};
  if (entry.caller.key != 0) sweep_later();
  // In a later turn: its own function is on the stack.
  loop_.post([dead = std::move(over)] {});
  tell_if_idle();
}

}  // namespace hf::serve
