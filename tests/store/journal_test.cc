// Goal: what a crash could lose never exceeds the window, a failed write stops spending and loses
// nothing, and many calls share one write. Method: a writer that the test holds, lets go and fails.
#include "store/journal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "scratch.h"

namespace hf::store {
namespace {

constexpr LeaseId kJournalLease{1};

class JournalTest : public testing::Test {
 protected:
  // Waits for the test at each write, then fails or keeps the batch.
  std::unique_ptr<Journal> journal_with(const Amounts& amount, const Amounts& window) {
    auto journal = Journal::create([this](const Batch& batch) -> Result<void> {
      arrived.release();
      gate.acquire();
      if (is_failing) return fail(Code::kUnavailable, "the disk is full");
      batches.push_back(batch);
      ++written;
      return {};
    });
    (*journal)->grant(kJournalLease, amount, window);
    return std::move(*journal);
  }

  void open_gate() { gate.release(1000); }

  // As the file would have it after all batches.
  [[nodiscard]] Delta sum() const {
    Delta sum;
    for (const Batch& batch : batches) {
      const Delta& delta = batch.at(kJournalLease);
      for (const auto& [call, worst] : delta.closed) {
        EXPECT_EQ(sum.opened.erase(call), 1U) << "closed without a row";
      }
      for (const auto& entry : delta.opened) {
        EXPECT_TRUE(sum.opened.insert(entry).second) << "a row twice";
      }
      sum.settled += delta.settled;
      sum.grown += delta.grown;
      sum.returned += delta.returned;
      sum.calls_settled += delta.calls_settled;
    }
    return sum;
  }

  std::counting_semaphore<> gate{0};
  std::counting_semaphore<> arrived{0};
  std::atomic<bool> is_failing = false;
  std::atomic<int> written = 0;
  std::vector<Batch> batches;
};

TEST_F(JournalTest, StartsWithinTheWindowDoNotWaitForTheDisk) {
  const auto journal = journal_with(of(1000, 1000), of(100, 50));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(1), of(60, 10)));
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(1), of(5, 5)));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(2), of(40, 40)));
  EXPECT_EQ(written, 0);
  open_gate();
}

TEST_F(JournalTest, AStartThatWouldPassTheWindowWaitsUntilEnoughIsWritten) {
  const auto journal = journal_with(of(1000, 1000), of(100, 100));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(1), of(60, 60)));
  arrived.acquire();
  // Settled or not: until it is written a crash would know nothing of call 1.
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(1), of(1)));
  std::latch is_near{1};
  std::thread keeper([&] {
    is_near.wait();
    open_gate();
  });
  is_near.count_down();
  EXPECT_TRUE(journal->started(kJournalLease, CallId(2), of(0, 41)));  // One axis is enough.
  EXPECT_GE(written, 1);
  keeper.join();
}

TEST_F(JournalTest, ACallLargerThanTheWindowIsWrittenBeforeItStarts) {
  open_gate();
  const auto journal = journal_with(of(1000), of(0));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(7), of(1)));
  ASSERT_FALSE(batches.empty());
  EXPECT_TRUE(batches.back().at(kJournalLease).opened.contains(CallId(7)));
}

TEST_F(JournalTest, WhatGathersDuringOneWriteIsTheNextAndSettledCallsLeaveOnlyTheirCost) {
  const auto journal = journal_with(of(1000), of(1000));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(0), of(1)));
  arrived.acquire();
  for (std::uint64_t call = 1; call <= 100; ++call) {
    EXPECT_TRUE(journal->started(kJournalLease, CallId(call), of(5)));
    EXPECT_TRUE(journal->settled(kJournalLease, CallId(call), of(2)));
  }
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(0), of(1)));
  open_gate();
  EXPECT_TRUE(journal->flush());
  ASSERT_EQ(batches.size(), 2U);
  const Delta& second = batches[1].at(kJournalLease);
  EXPECT_TRUE(second.opened.empty());
  EXPECT_EQ(second.closed.size(), 1U);
  EXPECT_EQ(second.calls_settled, 101);
  EXPECT_EQ(second.settled, of(201));
  EXPECT_EQ(second.exposed, of(500));
}

TEST_F(JournalTest, AFailedWriteStopsEveryStartUntilAnotherAttemptSucceeds) {
  open_gate();
  const auto journal = journal_with(of(1000), of(100));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(1), of(10)));
  EXPECT_TRUE(journal->flush());
  is_failing = true;
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(1), of(4)));
  EXPECT_EQ(journal->flush().error().message, "the disk is full");
  EXPECT_EQ(journal->started(kJournalLease, CallId(2), of(1)).error().code, Code::kUnavailable);
  EXPECT_FALSE(journal->healthy());
  EXPECT_FALSE(journal->give_back(kJournalLease, of(500)));
  is_failing = false;
  EXPECT_TRUE(journal->healthy());
  EXPECT_TRUE(journal->started(kJournalLease, CallId(2), of(1)));
  EXPECT_TRUE(journal->flush());
  EXPECT_EQ(sum().settled, of(4));
  EXPECT_EQ(sum().returned, of(500)) << "said during the failure, written after it";
  EXPECT_EQ(sum().opened.size(), 1U);
}

TEST_F(JournalTest, AStartThatFailsWhileItWaitsIsNotCharged) {
  open_gate();
  const auto journal = journal_with(of(1000), of(10));
  is_failing = true;
  EXPECT_FALSE(journal->started(kJournalLease, CallId(1), of(500)));
  is_failing = false;
  EXPECT_TRUE(journal->started(kJournalLease, CallId(1), of(1000)))
      << "all of the lease is free again";
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(1), of(3)));
  EXPECT_TRUE(journal->flush());
  EXPECT_EQ(sum().settled, of(3));
  EXPECT_EQ(sum().calls_settled, 1);
  EXPECT_TRUE(sum().opened.empty());
}

TEST_F(JournalTest, BatchesThatFailAreMergedInOrder) {
  open_gate();
  const auto journal = journal_with(of(1000), of(1000));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(1), of(10)));
  EXPECT_TRUE(journal->started(kJournalLease, CallId(2), of(20)));
  EXPECT_TRUE(journal->flush());
  is_failing = true;
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(1), of(1)));
  EXPECT_FALSE(journal->flush());
  EXPECT_TRUE(journal->settled(kJournalLease, CallId(2), of(50)));
  EXPECT_FALSE(journal->flush());
  is_failing = false;
  EXPECT_TRUE(journal->flush());
  EXPECT_EQ(sum().settled, of(51));
  EXPECT_EQ(sum().grown, of(0)) << "the lease had room for the larger bill";
  EXPECT_TRUE(sum().opened.empty());
}

TEST_F(JournalTest, ALeaseThatIsGivenBackDuringAFailureEndsLater) {
  open_gate();
  const auto journal = journal_with(of(1000), of(1000));
  is_failing = true;
  EXPECT_FALSE(journal->give_back(kJournalLease));
  EXPECT_FALSE(journal->is_open(kJournalLease));
  is_failing = false;
  EXPECT_TRUE(journal->flush());
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_TRUE(batches[0].at(kJournalLease).ends);
}

TEST_F(JournalTest, ThreadsThatStartAtOnceNeverExposeMoreThanTheWindow) {
  open_gate();
  constexpr std::int64_t kWindow = 30;
  std::atomic<std::int64_t> running = 0;
  std::atomic<std::int64_t> worst_case = 0;
  // Running calls that no batch knows, seen from the writer: what a crash now would lose.
  auto journal = std::move(*Journal::create([&](const Batch& batch) -> Result<void> {
    const std::int64_t lost = running;
    if (lost > worst_case) worst_case = lost;
    running -= static_cast<std::int64_t>(batch.at(kJournalLease).opened.size()) * 10;
    return {};
  }));
  journal->grant(kJournalLease, of(1'000'000), of(kWindow));
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < 500; ++i) {
        if (journal->started(kJournalLease, CallId(thread * 1000 + i), of(10))) running += 10;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(journal->flush());
  EXPECT_EQ(running, 0) << "every start was written";
  EXPECT_LE(worst_case, kWindow);
}

}  // namespace
}  // namespace hf::store
