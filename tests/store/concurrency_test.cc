// Goal: however many ask at once, exactly the budget is given, and nobody is refused while there is
// room. Method: 1,000 real threads released together, over several connections to one real store.
// HF_STORE_REPETITIONS=100 is the long form.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <limits>
#include <thread>
#include <vector>

#include "scratch.h"

namespace hf::store {
namespace {

constexpr int kThreads = 1000;

using Stores = std::array<std::unique_ptr<LeaseStore>, 3>;

Stores open_three(const std::filesystem::path& path) {
  return {open_store(path), open_store(path), open_store(path)};
}

// Runs `body(thread)` in all threads at once.
template <class Body>
void at_once(const Body& body) {
  std::latch start{kThreads};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

bool is_earned(const Refusal& refusal) {
  return refusal.spent + refusal.held + refusal.asked > refusal.limit;
}

TEST(Concurrency, OneNearlyEmptyBudgetIsGivenExactlyOnce) {
  const Scratch scratch;
  const Stores stores = open_three(scratch.ledger());
  ASSERT_TRUE(stores[0]->define({"process", std::nullopt, {}}));
  for (int repetition = 0; repetition < repetitions(2); ++repetition) {
    // Room for 20 calls of 7 and a rest that fits none.
    const std::string name = fmt::format("key {}", repetition);
    ASSERT_TRUE(stores[0]->define({name, "process", limits(20 * 7 + 6, 1'000'000)}));
    std::atomic<int> given = 0;
    std::atomic<int> wrong = 0;
    at_once([&](int thread) {
      LeaseStore& store = *stores[static_cast<std::size_t>(thread) % stores.size()];
      const auto taken = store.take(name, of(7, 1), of(7, 1));
      if (!taken || (!*taken && !is_earned(taken->error()))) {
        ++wrong;
      } else if (*taken) {
        ++given;
      }
    });
    EXPECT_EQ(given, 20);
    EXPECT_EQ(wrong, 0) << "an error, or a refusal while there was room";
    EXPECT_EQ(scope_of(*stores[0], name).leased, of(20 * 7, 20));
  }
}

TEST(Concurrency, CallsThatSettleForLessMakeRoomAndNothingIsLost) {
  const Scratch scratch;
  const Stores stores = open_three(scratch.ledger());
  ASSERT_TRUE(stores[0]->define({"process", std::nullopt, {}}));
  for (int repetition = 0; repetition < repetitions(1); ++repetition) {
    const std::string name = fmt::format("key {}", repetition);
    ASSERT_TRUE(stores[0]->define({name, "process", limits(100)}));
    std::atomic<std::int64_t> billed = 0;
    std::atomic<int> wrong = 0;
    at_once([&](int thread) {
      LeaseStore& store = *stores[static_cast<std::size_t>(thread) % stores.size()];
      const auto taken = store.take(name, of(10), of(10));
      if (!taken || (!*taken && !is_earned(taken->error()))) ++wrong;
      if (!taken || !*taken) return;
      const LeaseId lease = (*taken)->id;
      const std::int64_t cost = thread % 4;
      if (!store.started(lease, CallId(1), of(10))) ++wrong;
      billed += cost;
      if (!store.settled(lease, CallId(1), of(cost)) || !store.give_back(lease)) ++wrong;
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(billed, 100);
    EXPECT_EQ(scope_of(*stores[1], name).spent, of(billed));
    EXPECT_EQ(scope_of(*stores[1], name).leased, of(0));
    EXPECT_EQ(*stores[2]->left(name), of(100 - billed, std::numeric_limits<std::int64_t>::max()));
  }
}

TEST(Concurrency, OneLeaseServesManyThreads) {
  const Scratch scratch;
  const auto store = open_store(scratch.ledger());
  ASSERT_TRUE(store->define({"process", std::nullopt, limits(5'500)}));
  const Lease lease = take_all(*store, "process", of(5'500));
  std::atomic<int> begun = 0;
  at_once([&](int thread) {
    const auto call = CallId(static_cast<std::uint64_t>(thread));
    if (!store->started(lease.id, call, of(11))) return;
    ++begun;
    EXPECT_TRUE(store->settled(lease.id, call, of(11)));
  });
  EXPECT_EQ(begun, 500);
  EXPECT_TRUE(store->give_back(lease.id));
  EXPECT_EQ(scope_of(*store, "process").spent, of(5'500));
}

TEST(Concurrency, ManyOpenOneFileThatIsNotThereYet) {
  for (int round = repetitions(20); round > 0; --round) {
    const Scratch scratch;
    std::atomic<int> wrong = 0;
    std::latch start{8};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        const auto store = try_open(scratch.ledger());
        if (!store || !(*store)->define({"process", std::nullopt, limits(5)})) ++wrong;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(open_store(scratch.ledger())->report()->scopes.size(), 1U);
  }
}

}  // namespace
}  // namespace hf::store
