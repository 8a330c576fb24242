// Budgets that cannot be overspent: worst case reserved before, actual cost settled after.
//
// Scopes nest; a reservation is taken in a scope and all its ancestors or in none. At every instant
// spent + held <= limit holds in every scope, unless an endpoint reported more than was reserved:
// that is charged in full and told apart (`Settlement::overrun`).
//
// Sums saturate instead of wrapping. Integers only, O(depth) per operation. Thread safety: none.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/budget.h"

namespace hf {

class Ledger {
 public:
  // Opens a scope below `parent`, or a root. `name` is what refusals call it: "query", "process".
  ScopeId open(std::string name, std::optional<ScopeId> parent, const Budget& limits);

  // Other limits from now on. They may be below what is spent and held: then nothing more fits.
  void set_limits(ScopeId scope, const Budget& limits);

  // Closes a scope; its spending stays booked in its ancestors.
  // REQUIRES: nothing is held in it and no scope below it is open.
  void close(ScopeId scope);

  // What `reserve` would say: a refusal, or nothing if `worst` fits now.
  [[nodiscard]] std::optional<Refusal> refusal(ScopeId scope, const Amounts& worst) const;

  // Whether `worst` fits now in `scope` and all its ancestors.
  [[nodiscard]] bool fits(ScopeId scope, const Amounts& worst) const;

  // Holds `worst` in `scope` and all its ancestors, or refuses and changes nothing. The refusal is
  // that of the innermost scope that does not allow it.
  // REQUIRES: amounts are not negative.
  std::expected<ReservationId, Refusal> reserve(ScopeId scope, const Amounts& worst);

  struct Settlement {
    bool overrun = false;  // `actual` was more than reserved on some axis.
  };

  // Replaces what was held by what it cost; `actual` all zero is a refund.
  // REQUIRES: the reservation is open; a settled one must not be settled again.
  Settlement settle(ReservationId reservation, const Amounts& actual);

  // Replaces an amount that was booked here by a better one: a late bill, or what an estimate
  // really was. REQUIRES: `booked` is part of what was settled in `scope`.
  void rebook(ScopeId scope, const Amounts& booked, const Amounts& actual);

  [[nodiscard]] BudgetState state(ScopeId scope) const;

 private:
  struct Scope {
    std::string name;
    std::optional<ScopeId> parent;
    std::optional<PicoUsd> usd_limit;
    std::optional<Tokens> cloud_tokens_limit;
    Amounts spent;
    Amounts held;
    std::uint32_t reservations = 0;
    std::uint32_t children = 0;
    bool is_open = false;
  };
  // A slot is used again; its turn tells an old id of it from the present one.
  struct Reservation {
    ScopeId scope{};
    Amounts held;
    std::uint32_t turn = 0;
    bool is_open = false;
  };

  [[nodiscard]] const Scope& at(ScopeId scope) const;
  // Calls `change` on the scope and each of its ancestors.
  template <class Change>
  void up_from(ScopeId scope, const Change& change);

  std::vector<Scope> scopes_;
  std::vector<ScopeId> free_scopes_;
  std::vector<Reservation> reservations_;
  std::vector<std::uint32_t> free_reservations_;
};

}  // namespace hf
