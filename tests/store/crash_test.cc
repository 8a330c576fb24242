// Goal: after kill -9 at any moment the ledger has booked at least what was billed and at most the
// limit, before and after reconciliation; without a kill four processes use up one budget.
// Method: forked workers share a real store; each bill goes through a pipe that outlives them.
// Kills come from inside, between any two steps, and from outside, at whatever moment it is.
// HF_STORE_REPETITIONS sets the number of rounds.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "scratch.h"
#include "store/slice.h"

namespace hf::store {
namespace {

constexpr std::int64_t kLimit = 30'000;
constexpr std::int64_t kWorst = 100;
constexpr std::size_t kCallsAtOnce = 3;

// A process that spends until it is refused: leases, calls that overlap, bills that differ.
class Worker {
 public:
  // `steps` counts down to a kill from inside.
  Worker(LeaseStore& store, int bill, std::uint64_t seed, std::optional<std::uint64_t> steps)
      : store_(store), bill_(bill), rng_(seed), steps_(steps) {}

  bool run() {
    for (;;) {
      step();
      const auto left = store_.left("session");
      if (!left) return false;
      const Amounts wanted = slice({of(kWorst), recent_, of(left->usd.count())});
      step();
      const auto taken = store_.take("session", wanted, of(kWorst));
      if (!taken) return false;
      if (!*taken) return true;
      if (!use(**taken)) return false;
    }
  }

 private:
  struct Call {
    CallId id;
    std::int64_t cost;
  };

  bool use(const Lease& lease) {
    recent_ = {};
    std::int64_t free = lease.amount.usd.count();
    while (free >= kWorst || !calls_.empty()) {
      if (free >= kWorst && calls_.size() < kCallsAtOnce) {
        if (!begin(lease.id)) return false;
        free -= kWorst;
      } else if (!settle(lease.id, free)) {
        return false;
      }
    }
    step();
    return store_.give_back(lease.id).has_value();
  }

  bool begin(LeaseId lease) {
    const Call call{CallId(++last_call_), 40 + static_cast<std::int64_t>(rng_.below(61))};
    step();
    if (!store_.started(lease, call.id, of(kWorst))) return false;
    // From now on the provider charges, whatever becomes of this process.
    if (::write(bill_, &call.cost, sizeof call.cost) != sizeof call.cost) return false;
    calls_.push_back(call);
    return true;
  }

  bool settle(LeaseId lease, std::int64_t& free) {
    const Call call = calls_.front();
    calls_.pop_front();
    step();
    free += kWorst - call.cost;
    recent_ += of(call.cost);
    return store_.settled(lease, call.id, of(call.cost)).has_value();
  }

  void step() {
    if (steps_ && (*steps_)-- == 0) ::kill(::getpid(), SIGKILL);
  }

  LeaseStore& store_;
  const int bill_;
  Rng rng_;
  std::optional<std::uint64_t> steps_;
  std::deque<Call> calls_;
  std::uint64_t last_call_ = 0;
  Amounts recent_;
};

struct Child {
  pid_t pid = -1;
  int bills = -1;
  std::int64_t billed = 0;
  bool is_at_end = false;

  // Reads one bill; false when the child has ended and all are read.
  bool read_bill() {
    std::int64_t cost = 0;
    is_at_end = is_at_end || ::read(bills, &cost, sizeof cost) != ssize_t{sizeof cost};
    billed += cost;
    return !is_at_end;
  }
};

Child start(const std::filesystem::path& path, std::uint64_t seed,
            std::optional<std::uint64_t> steps) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    bool is_well = false;
    if (const auto store = try_open(path)) is_well = Worker(**store, ends[1], seed, steps).run();
    ::_exit(is_well ? 0 : 1);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

// Reads all bills, awaits the child and returns its status.
int finish(Child& child) {
  while (child.read_bill()) {
  }
  ::close(child.bills);
  int status = 0;
  EXPECT_EQ(::waitpid(child.pid, &status, 0), child.pid);
  return status;
}

void define(const std::filesystem::path& path) {
  const auto store = open_store(path);
  ASSERT_TRUE(store->define({"process", std::nullopt, limits(kLimit)}));
  ASSERT_TRUE(store->define({"session", "process", limits(kLimit)}));
}

// What must hold after all workers are gone; returns what reconciliation gave back.
std::int64_t check(const std::filesystem::path& path, std::int64_t billed) {
  const auto store = open_store(path);
  std::int64_t returned = 0;
  for (const char* name : {"process", "session"}) {
    const ScopeRow row = scope_of(*store, name);
    EXPECT_GE(row.spent.usd.count() + row.leased.usd.count(), billed) << name;
    EXPECT_LE(row.spent.usd.count() + row.leased.usd.count(), kLimit) << name;
  }
  const auto resolved = store->reconcile(Resolve::kDead);
  EXPECT_TRUE(resolved.has_value());
  for (const Reconciled& each : *resolved) returned += each.returned.usd.count();
  for (const char* name : {"process", "session"}) {
    const ScopeRow row = scope_of(*store, name);
    EXPECT_GE(row.spent.usd.count(), billed) << name;
    EXPECT_LE(row.spent.usd.count(), kLimit) << name;
    EXPECT_EQ(row.leased, of(0)) << name;
  }
  EXPECT_TRUE(store->report()->leases.empty());
  return returned;
}

TEST(Crash, FourProcessesTogetherUseUpOneBudgetAndNoMore) {
  const Scratch scratch;
  define(scratch.ledger());
  std::array<Child, 4> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i] = start(scratch.ledger(), i, std::nullopt);
  }
  std::int64_t billed = 0;
  for (Child& child : children) {
    EXPECT_EQ(finish(child), 0);
    billed += child.billed;
  }
  EXPECT_LE(billed, kLimit);
  EXPECT_GE(billed * 100, kLimit * 95);
  EXPECT_EQ(scope_of(*open_store(scratch.ledger()), "process").spent, of(billed));
  EXPECT_EQ(check(scratch.ledger(), billed), 0) << "nothing was left to reconcile";
}

TEST(Crash, TwoOfFourKilledOnTheWayNeitherOvershootNorForget) {
  for (int round = 0; round < repetitions(2); ++round) {
    const Scratch scratch;
    define(scratch.ledger());
    Rng rng(static_cast<std::uint64_t>(round));
    std::array<Child, 4> children;
    for (std::size_t i = 0; i < children.size(); ++i) {
      children[i] = start(scratch.ledger(), rng.next(), std::nullopt);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::uint64_t bills = rng.below(60); bills > 0 && children[i].read_bill(); --bills) {
      }
      ::kill(children[i].pid, SIGKILL);
    }
    std::int64_t billed = 0;
    for (std::size_t i = 0; i < children.size(); ++i) {
      const int status = finish(children[i]);
      if (i >= 2) EXPECT_EQ(status, 0) << "the others go on undisturbed";
      billed += children[i].billed;
    }
    check(scratch.ledger(), billed);
  }
}

TEST(Crash, KilledAnywhereTheLedgerCoversTheBillAndReconciliationReturnsTheRest) {
  const int rounds = repetitions(60);
  std::int64_t returned = 0;
  int killed = 0;
  for (int round = 0; round < rounds; ++round) {
    const Scratch scratch;
    define(scratch.ledger());
    Rng rng(mix(static_cast<std::uint64_t>(round)));
    // One dies between two of its own steps, one whenever the signal arrives.
    std::array children{start(scratch.ledger(), rng.next(), rng.below(200)),
                        start(scratch.ledger(), rng.next(), std::nullopt)};
    for (std::uint64_t bills = rng.below(100); bills > 0 && children[1].read_bill(); --bills) {
    }
    ::kill(children[1].pid, SIGKILL);
    std::int64_t billed = 0;
    for (Child& child : children) {
      killed += WIFSIGNALED(finish(child));
      billed += child.billed;
    }
    returned += check(scratch.ledger(), billed);
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(killed, rounds) << "more than one of two on average";
  EXPECT_GT(returned, rounds * kWorst) << "reconciliation gives back what cannot have been billed";
}

}  // namespace
}  // namespace hf::store
