// Goal: whatever is asked in whatever order, the store says and keeps what an obviously right
// model in memory does. Method: random commands on three nested scopes and two owners, one of them
// dead, compared after every step with the file read back whole.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "scratch.h"

namespace hf::store {
namespace {

constexpr std::array<const char*, 3> kNames{"process", "key", "session"};

// One axis is enough for a model: the other runs along with its own numbers.
struct ModelLease {
  std::size_t scope = 0;
  bool is_dead = false;
  Amounts left;
  Amounts window;
  std::map<std::uint64_t, Amounts> open;

  [[nodiscard]] Amounts open_sum() const {
    Amounts sum;
    for (const auto& [call, worst] : open) sum += worst;
    return sum;
  }
};

struct Model {
  std::array<Amounts, 3> limit;
  std::array<Amounts, 3> spent;
  std::map<LeaseId, ModelLease> leases;

  // Scope i has the scopes 0 to i - 1 above it.
  [[nodiscard]] Amounts leased(std::size_t scope) const {
    Amounts sum;
    for (const auto& [id, lease] : leases) {
      if (lease.scope >= scope) sum += lease.left;
    }
    return sum;
  }
  [[nodiscard]] Amounts left(std::size_t scope) const {
    Amounts least = limit[scope];
    for (std::size_t i = 0; i <= scope; ++i) {
      const Amounts held = leased(i);
      least.usd = std::min(least.usd, limit[i].usd - spent[i].usd - held.usd);
      least.cloud_tokens = std::min(
          least.cloud_tokens, limit[i].cloud_tokens - spent[i].cloud_tokens - held.cloud_tokens);
    }
    return {std::max(least.usd, PicoUsd(0)), std::max(least.cloud_tokens, Tokens(0))};
  }
  void spend(std::size_t scope, const Amounts& amount) {
    for (std::size_t i = 0; i <= scope; ++i) spent[i] += amount;
  }
};

template <class Unit>
bool gets(Unit wanted, Unit least, Unit left, Unit& given) {
  given = std::min(wanted, left);
  return least == Unit(0) || given >= least;
}

Amounts amount_upto(int most) {
  return of(*rc::gen::inRange(0, most), *rc::gen::inRange(0, most));
}

class Runner {
 public:
  explicit Runner(const std::filesystem::path& path)
      : stores_{open_store(path), open_store(path, dead_owner())} {
    for (std::size_t scope = 0; scope < kNames.size(); ++scope) define(scope, of(300, 300));
  }

  void step() {
    switch (*rc::gen::inRange(0, 10)) {
      case 0:
        return define(*rc::gen::inRange<std::size_t>(0, 3), amount_upto(400));
      case 1:
      case 2:
        return take();
      case 3:
      case 4:
      case 5:
        return with_lease([&](LeaseId id, ModelLease& lease) { start(id, lease); });
      case 6:
      case 7:
        return with_lease([&](LeaseId id, ModelLease& lease) { settle(id, lease); });
      case 8:
        return with_lease([&](LeaseId id, ModelLease& lease) { change(id, lease); });
      default:
        return end();
    }
  }

  void compare() {
    for (const auto& store : stores_) RC_ASSERT(store->flush().has_value());
    const auto report = stores_[0]->report();
    RC_ASSERT(report.has_value());
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      RC_ASSERT(report->scopes[i].spent == model_.spent[i]);
      RC_ASSERT(report->scopes[i].leased == model_.leased(i));
      RC_ASSERT(*stores_[1]->left(kNames[i]) == model_.left(i));
    }
    RC_ASSERT(report->leases.size() == model_.leases.size());
    for (const LeaseReport& seen : report->leases) {
      const ModelLease& lease = model_.leases.at(static_cast<LeaseId>(seen.lease.id));
      RC_ASSERT(seen.lease.left == lease.left);
      RC_ASSERT(seen.lease.window == lease.window);
      RC_ASSERT(seen.lease.open == lease.open_sum());
      RC_ASSERT(seen.calls.size() == lease.open.size());
    }
  }

 private:
  LeaseStore& store_of(const ModelLease& lease) { return *stores_[lease.is_dead ? 1 : 0]; }

  void define(std::size_t scope, const Amounts& limit) {
    const std::optional<std::string> parent =
        scope == 0 ? std::nullopt : std::optional<std::string>(kNames[scope - 1]);
    const Budget budget = limits(limit.usd.count(), limit.cloud_tokens.count());
    RC_ASSERT(stores_[0]->define({kNames[scope], parent, budget}).has_value());
    model_.limit[scope] = limit;
  }

  // Adds what the model would give to `lease` and checks that the store said the same.
  void grant(const Result<Taken>& taken, ModelLease& lease, const Amounts& wanted,
             const Amounts& least) {
    RC_ASSERT(taken.has_value());
    const Amounts left = model_.left(lease.scope);
    Amounts given;
    const bool fits = gets(wanted.usd, least.usd, left.usd, given.usd);
    const bool both =
        gets(wanted.cloud_tokens, least.cloud_tokens, left.cloud_tokens, given.cloud_tokens) &&
        fits;
    RC_ASSERT(taken->has_value() == both);
    if (!both) {
      const Refusal& refusal = taken->error();
      RC_ASSERT(refusal.spent + refusal.held + refusal.asked > refusal.limit);
      return;
    }
    RC_ASSERT((*taken)->amount == given);
    lease.left += given;
    lease.window += of(given.usd.count() / 4, given.cloud_tokens.count() / 4);
    RC_ASSERT((*taken)->window == lease.window);
  }

  void take() {
    ModelLease lease;
    lease.scope = *rc::gen::inRange<std::size_t>(0, 3);
    lease.is_dead = *rc::gen::arbitrary<bool>();
    const Amounts least = amount_upto(60);
    Amounts wanted = least;
    wanted += amount_upto(100);
    const auto taken = store_of(lease).take(kNames[lease.scope], wanted, least);
    grant(taken, lease, wanted, least);
    if (*taken) model_.leases.emplace((*taken)->id, lease);
  }

  template <class Body>
  void with_lease(const Body& body) {
    if (model_.leases.empty()) return;
    auto lease = model_.leases.begin();
    std::advance(lease, *rc::gen::inRange<std::size_t>(0, model_.leases.size()));
    body(lease->first, lease->second);
  }

  void start(LeaseId id, ModelLease& lease) {
    const Amounts worst = amount_upto(40);
    Amounts all = lease.open_sum();
    all += worst;
    const bool fits = all.usd <= lease.left.usd && all.cloud_tokens <= lease.left.cloud_tokens;
    const std::uint64_t call = ++last_call_;
    RC_ASSERT(store_of(lease).started(id, CallId(call), worst).has_value() == fits);
    if (fits) lease.open.emplace(call, worst);
  }

  void settle(LeaseId id, ModelLease& lease) {
    if (lease.open.empty()) return;
    const std::uint64_t call = lease.open.begin()->first;
    const Amounts actual = amount_upto(60);  // Now and then more than was reserved.
    RC_ASSERT(store_of(lease).settled(id, CallId(call), actual).has_value());
    lease.open.erase(call);
    model_.spend(lease.scope, actual);
    const Amounts open = lease.open_sum();
    lease.left.usd = std::max(lease.left.usd - actual.usd, open.usd);
    lease.left.cloud_tokens =
        std::max(lease.left.cloud_tokens - actual.cloud_tokens, open.cloud_tokens);
  }

  // Grows the lease or gives a part of it back.
  void change(LeaseId id, ModelLease& lease) {
    const Amounts amount = amount_upto(60);
    if (*rc::gen::arbitrary<bool>()) {
      return grant(store_of(lease).extend(id, amount, {}), lease, amount, {});
    }
    Amounts rest = lease.left;
    rest -= lease.open_sum();
    const bool fits = amount.usd <= rest.usd && amount.cloud_tokens <= rest.cloud_tokens;
    RC_ASSERT(store_of(lease).give_back(id, amount).has_value() == fits);
    if (fits) lease.left -= amount;
  }

  void end() {
    if (*rc::gen::inRange(0, 4) > 0) {
      with_lease([&](LeaseId id, ModelLease& lease) {
        RC_ASSERT(store_of(lease).give_back(id).has_value());
        model_.spend(lease.scope, lease.open_sum());
        model_.leases.erase(id);
      });
      return;
    }
    for (const auto& store : stores_) RC_ASSERT(store->flush().has_value());
    const auto resolved = stores_[0]->reconcile(Resolve::kDead);
    RC_ASSERT(resolved.has_value());
    for (const Reconciled& each : *resolved) {
      const auto lease = model_.leases.find(static_cast<LeaseId>(each.was.lease.id));
      RC_ASSERT(lease != model_.leases.end());
      RC_ASSERT(lease->second.is_dead);
      const ModelLease& was = lease->second;
      Amounts booked = was.open_sum();
      booked += was.window;
      booked.usd = std::min(booked.usd, was.left.usd);
      booked.cloud_tokens = std::min(booked.cloud_tokens, was.left.cloud_tokens);
      RC_ASSERT(each.booked == booked);
      model_.spend(was.scope, booked);
      model_.leases.erase(lease);
    }
    for (const auto& [id, lease] : model_.leases) RC_ASSERT(!lease.is_dead);
  }

  std::array<std::unique_ptr<LeaseStore>, 2> stores_;
  Model model_{};
  std::uint64_t last_call_ = 0;
};

RC_GTEST_PROP(StoreModel, SaysAndKeepsWhatTheModelDoes, ()) {
  const Scratch scratch;
  Runner runner(scratch.ledger());
  for (int i = *rc::gen::inRange(1, 30); i > 0; --i) {
    runner.step();
    runner.compare();
  }
}

}  // namespace
}  // namespace hf::store
