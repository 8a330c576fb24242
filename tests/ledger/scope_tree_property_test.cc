// Goal: in any tree of scopes, through reserving, settling, overruns, late bills and closing, each
// scope has exactly what happened below it, and a refusal names the innermost scope that says no.
// Method: random operations; a model that keeps the list of what happened and adds it up anew.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace hf {
namespace {

struct Entry {  // One reservation's life.
  std::size_t scope = 0;
  ReservationId id{};
  Amounts held;
  Amounts spent;
  bool is_open = true;
};

struct Scope {
  ScopeId id{};
  std::optional<std::size_t> parent;
  Budget limits;
  bool is_open = true;
};

Amounts amounts(std::int64_t most) {
  return {PicoUsd(*rc::gen::inRange<std::int64_t>(0, most)),
          Tokens(*rc::gen::inRange<std::int64_t>(0, most))};
}

class Model {
 public:
  void open(Ledger& ledger) {
    Scope scope;
    if (!scopes.empty()) scope.parent = any_open();
    if (*rc::gen::inRange(0, 3) != 0) scope.limits.usd = amounts(400).usd;
    if (*rc::gen::inRange(0, 3) != 0) scope.limits.cloud_tokens = amounts(400).cloud_tokens;
    const std::string name = std::to_string(scopes.size());
    const auto parent = scope.parent ? std::optional(scopes[*scope.parent].id) : std::nullopt;
    scope.id = ledger.open(name, parent, scope.limits);
    scopes.push_back(scope);
  }

  [[nodiscard]] std::size_t any_open() const {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < scopes.size(); ++i) {
      if (scopes[i].is_open) open.push_back(i);
    }
    return open[*rc::gen::inRange<std::size_t>(0, open.size())];
  }

  // Whether `inner` is `outer` or below it.
  [[nodiscard]] bool is_in(std::size_t inner, std::size_t outer) const {
    for (std::optional<std::size_t> at = inner; at; at = scopes[*at].parent) {
      if (*at == outer) return true;
    }
    return false;
  }
  [[nodiscard]] Amounts sum(std::size_t scope, Amounts Entry::* what) const {
    Amounts total;
    for (const Entry& each : entries) {
      if (is_in(each.scope, scope)) total += each.*what;
    }
    return total;
  }
  // The innermost scope from here up that does not allow it.
  [[nodiscard]] std::optional<std::size_t> refuses(std::size_t scope, const Amounts& worst) const {
    for (std::optional<std::size_t> at = scope; at; at = scopes[*at].parent) {
      Amounts total = sum(*at, &Entry::spent);
      total += sum(*at, &Entry::held);
      total += worst;
      const Budget& limits = scopes[*at].limits;
      if (limits.usd && worst.usd > PicoUsd(0) && total.usd > *limits.usd) return at;
      if (limits.cloud_tokens && worst.cloud_tokens > Tokens(0) &&
          total.cloud_tokens > *limits.cloud_tokens) {
        return at;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] bool may_close(std::size_t scope) const {
    if (scope == 0) return false;
    for (std::size_t i = 0; i < scopes.size(); ++i) {
      if (i != scope && scopes[i].is_open && scopes[i].parent == scope) return false;
    }
    for (const Entry& each : entries) {
      if (each.is_open && each.scope == scope) return false;
    }
    return true;
  }

  std::vector<Scope> scopes;
  std::vector<Entry> entries;
};

void reserve(Ledger& ledger, Model& model) {
  const std::size_t at = model.any_open();
  const ScopeId scope = model.scopes[at].id;
  const Amounts worst = amounts(90);
  const auto refusing = model.refuses(at, worst);
  RC_ASSERT(ledger.fits(scope, worst) == !refusing);
  const auto reservation = ledger.reserve(scope, worst);
  RC_ASSERT(reservation.has_value() == !refusing);
  if (reservation) return model.entries.push_back({at, *reservation, worst, {}, true});
  const Refusal& refusal = reservation.error();
  RC_ASSERT(refusal.scope == std::to_string(*refusing));
  const Amounts spent = model.sum(*refusing, &Entry::spent);
  const bool is_usd = refusal.axis == Axis::kUsd;
  RC_ASSERT(refusal.spent == (is_usd ? spent.usd.count() : spent.cloud_tokens.count()));
  RC_ASSERT(refusal.asked == (is_usd ? worst.usd.count() : worst.cloud_tokens.count()));
  RC_ASSERT(refusal.spent + refusal.held + refusal.asked > refusal.limit);
}

void settle(Ledger& ledger, Entry& entry) {
  const Amounts actual = amounts(110);  // Now and then more than was held.
  const bool is_more = actual.usd > entry.held.usd || actual.cloud_tokens > entry.held.cloud_tokens;
  RC_ASSERT(ledger.settle(entry.id, actual).overrun == is_more);
  entry.spent = actual;
  entry.held = {};
  entry.is_open = false;
}

RC_GTEST_PROP(ScopeTree, HasInEveryScopeWhatHappenedBelowIt, ()) {
  Ledger ledger;
  Model model;
  model.open(ledger);
  const int operations = *rc::gen::inRange(1, 80);
  for (int n = 0; n < operations; ++n) {
    const int what = *rc::gen::inRange(0, 10);
    if (what < 2) {
      model.open(ledger);
    } else if (what < 6 || model.entries.empty()) {
      reserve(ledger, model);
    } else if (what < 9) {
      Entry& entry = model.entries[*rc::gen::inRange<std::size_t>(0, model.entries.size())];
      if (entry.is_open) {
        settle(ledger, entry);
      } else if (model.scopes[entry.scope].is_open) {
        const Amounts actual = amounts(110);
        ledger.rebook(model.scopes[entry.scope].id, entry.spent, actual);
        entry.spent = actual;
      }
    } else if (const std::size_t at = model.any_open(); model.may_close(at)) {
      ledger.close(model.scopes[at].id);
      model.scopes[at].is_open = false;
    }
    for (std::size_t i = 0; i < model.scopes.size(); ++i) {
      if (!model.scopes[i].is_open) continue;
      const BudgetState state = ledger.state(model.scopes[i].id);
      RC_ASSERT(state.spent == model.sum(i, &Entry::spent));
      RC_ASSERT(state.held == model.sum(i, &Entry::held));
    }
  }
}

}  // namespace
}  // namespace hf
