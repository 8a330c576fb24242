#include "ledger/ledger.h"

#include <limits>
#include <utility>

#include "base/assert.h"

namespace hf {
namespace {

template <class Unit>
Unit plus(Unit a, Unit b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a.count(), b.count(), &sum)) return Unit(sum);
  return Unit(std::numeric_limits<std::int64_t>::max());
}

Amounts plus(const Amounts& a, const Amounts& b) {
  return {plus(a.usd, b.usd), plus(a.cloud_tokens, b.cloud_tokens)};
}

// The two axes one by one, so that each rule is written once.
template <class Unit>
bool fits_axis(const std::optional<Unit>& limit, Unit spent, Unit held, Unit asked) {
  return !limit || asked == Unit(0) || plus(plus(spent, held), asked) <= *limit;
}

template <class Unit>
Refusal refused(std::string scope, Axis axis, Unit limit, Unit spent, Unit held, Unit asked) {
  return {std::move(scope), axis, limit.count(), spent.count(), held.count(), asked.count()};
}

constexpr std::uint32_t kTurnShift = 32;

}  // namespace

ScopeId Ledger::open(std::string name, std::optional<ScopeId> parent, const Budget& limits) {
  if (parent) {
    HF_ASSERT(at(*parent).is_open);
    ++scopes_[index_of(*parent)].children;
  }
  if (free_scopes_.empty()) {
    free_scopes_.push_back(static_cast<ScopeId>(scopes_.size()));
    scopes_.emplace_back();
  }
  const ScopeId id = free_scopes_.back();
  free_scopes_.pop_back();
  Scope& scope = scopes_[index_of(id)];
  scope = Scope{};
  scope.name = std::move(name);
  scope.parent = parent;
  scope.usd_limit = limits.usd;
  scope.cloud_tokens_limit = limits.cloud_tokens;
  scope.is_open = true;
  return id;
}

void Ledger::set_limits(ScopeId id, const Budget& limits) {
  Scope& scope = scopes_[index_of(id)];
  HF_ASSERT(scope.is_open);
  scope.usd_limit = limits.usd;
  scope.cloud_tokens_limit = limits.cloud_tokens;
}

void Ledger::close(ScopeId id) {
  Scope& scope = scopes_[index_of(id)];
  HF_ASSERT(scope.is_open && scope.reservations == 0 && scope.children == 0);
  scope.is_open = false;
  if (scope.parent) --scopes_[index_of(*scope.parent)].children;
  free_scopes_.push_back(id);
}

bool Ledger::fits(ScopeId id, const Amounts& worst) const {
  for (std::optional<ScopeId> at_id = id; at_id; at_id = at(*at_id).parent) {
    const Scope& scope = at(*at_id);
    if (!fits_axis(scope.usd_limit, scope.spent.usd, scope.held.usd, worst.usd) ||
        !fits_axis(scope.cloud_tokens_limit, scope.spent.cloud_tokens, scope.held.cloud_tokens,
                   worst.cloud_tokens)) {
      return false;
    }
  }
  return true;
}

std::optional<Refusal> Ledger::refusal(ScopeId id, const Amounts& worst) const {
  for (std::optional<ScopeId> at_id = id; at_id; at_id = at(*at_id).parent) {
    const Scope& scope = at(*at_id);
    if (!fits_axis(scope.usd_limit, scope.spent.usd, scope.held.usd, worst.usd)) {
      return refused(scope.name, Axis::kUsd, *scope.usd_limit, scope.spent.usd, scope.held.usd,
                     worst.usd);
    }
    if (!fits_axis(scope.cloud_tokens_limit, scope.spent.cloud_tokens, scope.held.cloud_tokens,
                   worst.cloud_tokens)) {
      return refused(scope.name, Axis::kCloudTokens, *scope.cloud_tokens_limit,
                     scope.spent.cloud_tokens, scope.held.cloud_tokens, worst.cloud_tokens);
    }
  }
  return std::nullopt;
}

std::expected<ReservationId, Refusal> Ledger::reserve(ScopeId scope, const Amounts& worst) {
  HF_ASSERT(at(scope).is_open);
  HF_ASSERT(worst.usd >= PicoUsd(0) && worst.cloud_tokens >= Tokens(0));
  if (!fits(scope, worst)) return std::unexpected(*refusal(scope, worst));

  up_from(scope, [&](Scope& each) { each.held = plus(each.held, worst); });
  ++scopes_[index_of(scope)].reservations;

  if (free_reservations_.empty()) {
    free_reservations_.push_back(static_cast<std::uint32_t>(reservations_.size()));
    reservations_.emplace_back();
  }
  const std::uint32_t slot = free_reservations_.back();
  free_reservations_.pop_back();
  Reservation& reservation = reservations_[slot];
  reservation = {scope, worst, reservation.turn + 1, true};
  return static_cast<ReservationId>(std::uint64_t{reservation.turn} << kTurnShift | slot);
}

Ledger::Settlement Ledger::settle(ReservationId id, const Amounts& actual) {
  const auto slot = static_cast<std::uint32_t>(id);
  HF_ASSERT(slot < reservations_.size());
  Reservation& reservation = reservations_[slot];
  HF_ASSERT(reservation.is_open &&
            reservation.turn == static_cast<std::uint64_t>(id) >> kTurnShift);
  HF_ASSERT(actual.usd >= PicoUsd(0) && actual.cloud_tokens >= Tokens(0));

  const Amounts held = reservation.held;
  up_from(reservation.scope, [&](Scope& each) {
    each.held -= held;
    each.spent = plus(each.spent, actual);
  });
  --scopes_[index_of(reservation.scope)].reservations;
  reservation.is_open = false;
  free_reservations_.push_back(slot);
  return {.overrun = actual.usd > held.usd || actual.cloud_tokens > held.cloud_tokens};
}

void Ledger::rebook(ScopeId scope, const Amounts& booked, const Amounts& actual) {
  HF_ASSERT(at(scope).is_open);
  HF_ASSERT(at(scope).spent.usd >= booked.usd);
  HF_ASSERT(at(scope).spent.cloud_tokens >= booked.cloud_tokens);
  HF_ASSERT(actual.usd >= PicoUsd(0) && actual.cloud_tokens >= Tokens(0));
  up_from(scope, [&](Scope& each) {
    each.spent -= booked;
    each.spent = plus(each.spent, actual);
  });
}

BudgetState Ledger::state(ScopeId id) const {
  const Scope& scope = at(id);
  return {scope.usd_limit, scope.cloud_tokens_limit, scope.spent, scope.held};
}

const Ledger::Scope& Ledger::at(ScopeId scope) const {
  HF_ASSERT(index_of(scope) < scopes_.size());
  return scopes_[index_of(scope)];
}

template <class Change>
void Ledger::up_from(ScopeId scope, const Change& change) {
  for (std::optional<ScopeId> id = scope; id; id = scopes_[index_of(*id)].parent) {
    change(scopes_[index_of(*id)]);
  }
}

}  // namespace hf
