#include "serve/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace hf::serve {
namespace {

std::string_view secret_in(const net::Request& request) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view header = request.header("authorization");
  const bool is_bearer = std::ranges::equal(
      header.substr(0, kBearer.size()), kBearer,
      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
  return is_bearer ? header.substr(kBearer.size()) : request.header("x-api-key");
}

std::string label_of(const store::Key& key) {
  return fmt::format("{}#{}", key.name, key.id);
}

}  // namespace

void Access::pay_at(Runtime& runtime, Terms terms) {
  close_accounts();
  runtime_ = &runtime;
  terms_ = std::move(terms);
}

// Those that nobody uses end at once, others with their last run.
void Access::close_accounts() {
  for (auto& [name, session] : sessions_) set_aside(session);
  payers_.clear();
}

void Access::set_aside(Session& session) {
  if (!session.payer) return;
  const BudgetState state = session.payer->runtime.account_state(session.payer->account);
  session.spent += state.spent;
  session.spent += state.held;
  session.payer.reset();
}

// A store that fails leaves things as they are: nobody gets in who could not before.
void Access::refresh() {
  if (options_.keys == nullptr) return;
  const std::int64_t now = options_.unix_time();
  if (now == looked_at_) return;
  const bool is_first = looked_at_ < 0;
  looked_at_ = now;
  const auto generation = options_.keys->generation();
  if (!generation || (!is_first && *generation == ring_.generation())) return;
  auto ring = options_.keys->ring();
  const auto all = options_.keys->list();
  if (!ring || !all) return;
  ring_ = *std::move(ring);
  is_closed_ = is_closed_ || !all->empty();
  keys_.clear();
  for (const auto& entry : ring_.entries()) keys_.emplace(entry.key.id, &entry.key);
  close_accounts();  // Limits may have changed: the next request defines them anew.
}

std::expected<Caller, Problem> Access::enter(const net::Request& request) {
  refresh();
  if (!is_closed_) return Caller{};
  const std::string_view secret = secret_in(request);
  const store::Key* const key = ring_.find(secret, options_.unix_time());
  if (key != nullptr) return Caller{.key = key->id, .label = label_of(*key)};
  return std::unexpected(Problem{401, "invalid_api_key",
                                 secret.empty()
                                     ? "A key is needed: send it as Authorization: Bearer hf-…."
                                     : "The key is not known, or it is revoked or expired.",
                                 ""});
}

const store::Key* Access::key_of(const Caller& caller) const {
  const auto found = keys_.find(caller.key);
  return found == keys_.end() ? nullptr : found->second;
}

bool Access::may_name(const Caller& caller, std::string_view model) {
  const store::Key* const key = key_of(caller);
  return key == nullptr || store::may_use(*key, model);
}

std::optional<Problem> Access::count_request(const store::Key& key) {
  Traffic& traffic = traffic_[key.id];
  if (key.in_flight && *traffic.in_flight >= static_cast<int>(*key.in_flight)) {
    return Problem{429, "too_many_in_flight",
                   fmt::format("The key '{}' has {} requests under way, which is its limit; try "
                               "again when one is answered.",
                               key.name, *traffic.in_flight),
                   ""};
  }
  if (!key.requests_per_minute) return std::nullopt;
  // A bucket that holds a minute's worth and fills up evenly.
  const double most = *key.requests_per_minute;
  const auto now = static_cast<double>(options_.unix_time());
  if (traffic.at == 0) traffic.allowance = most;
  traffic.allowance = std::min(most, traffic.allowance + (now - traffic.at) * most / 60);
  traffic.at = now;
  if (traffic.allowance >= 1) {
    traffic.allowance -= 1;
    return std::nullopt;
  }
  const double wait = most > 0 ? std::ceil((1 - traffic.allowance) * 60 / most) : 3600;
  Problem problem{429, "rate_limit_exceeded",
                  fmt::format("The key '{}' may make {} requests a minute.", key.name,
                              *key.requests_per_minute),
                  ""};
  problem.retry_after = static_cast<std::int64_t>(wait);
  return problem;
}

std::expected<std::shared_ptr<Access::Payer>, Problem> Access::open(Runtime& runtime,
                                                                    const AccountSpec& spec) {
  const auto account = runtime.open_account(spec);
  if (!account) {
    return std::unexpected(Problem{
        503, "budget_unavailable",
        fmt::format("The budget of {} cannot be used: {}", spec.name, account.error().message),
        ""});
  }
  return std::make_shared<Payer>(runtime, *account);
}

std::expected<std::shared_ptr<Access::Payer>, Problem> Access::payer_of(const store::Key& key) {
  const std::int64_t now = options_.unix_time();
  const bool is_limited = key.usd || key.cloud_tokens;
  const std::string scope = is_limited ? store::scope_of(key, now) : "";
  auto& payer = payers_[key.id];
  if (payer && payer->description.scope == scope) {
    payer->used_at = now;
    return payer;
  }
  AccountSpec spec{.name = fmt::format("key {}", key.name)};
  if (is_limited) spec.scope = store::scope_spec(key, now, terms_.scope);
  // A durable scope knows the one above it by itself.
  if (!is_limited || !terms_.scope) spec.parent = AccountId{};
  auto opened = open(*runtime_, spec);
  if (!opened) return opened;
  payer = *opened;
  payer->description = {.name = spec.name,
                        .owner = label_of(key),
                        .scope = scope,
                        .state = {},
                        .renews_at = store::period_end(key.period, now)};
  payer->used_at = now;
  return payer;
}

std::expected<std::shared_ptr<Access::Payer>, Problem> Access::session_payer(
    const Caller& caller, const store::Key* key, const std::string& session) {
  std::shared_ptr<Payer> above;
  if (key != nullptr) {
    auto found = payer_of(*key);
    if (!found) return found;
    above = *found;
  }
  Session& entry = sessions_[{caller.key, session}];
  if (entry.payer && entry.payer->above != above) set_aside(entry);
  if (!entry.payer) {
    const std::string name = fmt::format("session {}", session);
    Budget limits = terms_.session;
    if (limits.usd) limits.usd = std::max(*limits.usd - entry.spent.usd, PicoUsd(0));
    if (limits.cloud_tokens) {
      limits.cloud_tokens = std::max(*limits.cloud_tokens - entry.spent.cloud_tokens, Tokens(0));
    }
    auto opened =
        open(*runtime_,
             {.name = name, .limits = limits, .parent = above ? above->account : AccountId{}});
    if (!opened) return opened;
    entry.payer = *opened;
    entry.payer->above = above;
    entry.payer->description = {
        .name = name, .owner = caller.label, .scope = "", .state = {}, .renews_at = {}};
  }
  entry.used = ++admissions_;
  const std::shared_ptr<Payer> result = entry.payer;
  if (sessions_.size() > options_.sessions_max) {
    sessions_.erase(
        std::ranges::min_element(sessions_, {}, [](const auto& each) { return each.second.used; }));
  }
  return result;
}

bool Access::give_back_idle(Duration idle) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(idle).count();
  const std::int64_t oldest = options_.unix_time() - seconds;
  const auto leases = [](const Payer& payer) { return !payer.description.scope.empty(); };
  for (auto& [name, session] : sessions_) {
    const Payer* const payer = session.payer.get();
    const bool is_meant = payer != nullptr && payer->above && leases(*payer->above);
    if (is_meant && session.payer.use_count() == 1 && payer->above->used_at <= oldest)
      set_aside(session);
  }
  std::erase_if(payers_, [&](const auto& each) {
    const auto& payer = each.second;
    return !payer || (leases(*payer) && payer.use_count() == 1 && payer->used_at <= oldest);
  });
  return std::ranges::any_of(payers_, [&](const auto& each) { return leases(*each.second); });
}

std::expected<Access::Ticket, Problem> Access::admit(const Caller& caller, std::string_view model,
                                                     const std::string& session) {
  const store::Key* const key = key_of(caller);
  if (key != nullptr && !store::may_use(*key, model)) {
    return std::unexpected(
        Problem{403, "model_not_allowed",
                fmt::format("The key '{}' may not use '{}'; GET /v1/models lists what it may.",
                            key->name, model),
                "model"});
  }
  Ticket ticket;
  if (key != nullptr) {
    if (auto problem = count_request(*key)) return std::unexpected(*std::move(problem));
  }
  if (key != nullptr || !session.empty()) {
    auto payer = session.empty() ? payer_of(*key) : session_payer(caller, key, session);
    if (!payer) return std::unexpected(std::move(payer.error()));
    ticket.account_ = (*payer)->account;
    ticket.payer_ = *std::move(payer);
  }
  if (key != nullptr) {
    const auto in_flight = traffic_[key->id].in_flight;
    ++*in_flight;
    ticket.place_ = std::shared_ptr<void>(nullptr, [in_flight](void*) { --*in_flight; });
  }
  return ticket;
}

std::vector<Access::Account> Access::accounts(const Caller& caller) {
  std::vector<Account> result;
  // A key that has not asked yet has no account: looking must not make one, which would write.
  const store::Key* const key = key_of(caller);
  if (key != nullptr && !payers_.contains(key->id)) {
    const bool is_limited = key->usd || key->cloud_tokens;
    const std::int64_t now = options_.unix_time();
    Account& account = result.emplace_back();
    account.name = fmt::format("key {}", key->name);
    account.owner = label_of(*key);
    if (is_limited) account.scope = store::scope_of(*key, now);
    account.state.usd_limit = key->usd;
    account.state.cloud_tokens_limit = key->cloud_tokens;
    account.renews_at = store::period_end(key->period, now);
  }
  const auto add = [&](const Payer& payer) {
    if (!may_see(caller, payer.description.owner)) return;
    Account& account = result.emplace_back(payer.description);
    account.state = runtime_->account_state(payer.account);
  };
  for (const auto& [id, payer] : payers_) {
    if (payer) add(*payer);
  }
  for (const auto& [name, session] : sessions_) {
    if (!session.payer) continue;
    const std::size_t before = result.size();
    add(*session.payer);
    if (result.size() == before) continue;
    BudgetState& state = result.back().state;
    state.spent += session.spent;
    state.usd_limit = terms_.session.usd;
    state.cloud_tokens_limit = terms_.session.cloud_tokens;
  }
  return result;
}

std::optional<std::int64_t> Access::renewal_of(std::string_view scope) {
  for (const auto& [key, payer] : payers_) {
    if (payer && payer->description.scope == scope) return payer->description.renews_at;
  }
  return std::nullopt;
}

}  // namespace hf::serve
