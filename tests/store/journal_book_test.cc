// Goal: the journal's books without a thread: what may begin, what a batch has, what a failed write
// leaves. Method: the test is the writer.
#include "store/journal_book.h"

#include <gtest/gtest.h>

#include "scratch.h"

namespace hf::store {
namespace {

constexpr LeaseId kLease{1};

class JournalBookTest : public testing::Test {
 protected:
  JournalBookTest() { book_.grant(kLease, of(100), of(25)); }

  JournalBook book_;
};

TEST_F(JournalBookTest, ACallBeyondTheWindowBeginsOnceItIsWritten) {
  const auto first = book_.started(kLease, CallId{1}, of(20));
  ASSERT_TRUE(first);
  EXPECT_TRUE(book_.may_begin(kLease, *first));
  const auto second = book_.started(kLease, CallId{2}, of(6));
  ASSERT_TRUE(second);
  EXPECT_FALSE(book_.may_begin(kLease, *second));
  EXPECT_EQ(book_.last(), *second);
  const Batch batch = book_.take();
  EXPECT_FALSE(book_.has_gathered());
  EXPECT_FALSE(book_.may_begin(kLease, *second));
  book_.finish(batch, {});
  EXPECT_TRUE(book_.may_begin(kLease, *second));
  EXPECT_TRUE(book_.is_durable(*second));
}

TEST_F(JournalBookTest, WhatCouldNotBeWrittenIsInTheNextBatch) {
  ASSERT_TRUE(book_.started(kLease, CallId{1}, of(20)));
  const Batch batch = book_.take();
  ASSERT_TRUE(book_.settled(kLease, CallId{1}, of(3)));
  book_.finish(batch, fail(Code::kUnavailable, "the disk is full"));
  ASSERT_TRUE(book_.error());
  const Batch both = book_.take();
  EXPECT_TRUE(both.at(kLease).opened.empty());
  EXPECT_TRUE(both.at(kLease).closed.empty());
  EXPECT_EQ(both.at(kLease).settled, of(3));
  EXPECT_EQ(both.at(kLease).exposed, of(20));
  book_.finish(both, {});
  EXPECT_FALSE(book_.error());
  EXPECT_TRUE(book_.may_begin(kLease, *book_.started(kLease, CallId{2}, of(25))));
}

TEST_F(JournalBookTest, ACallThatIsWithdrawnCostsNothingAndItsPlaceIsFree) {
  ASSERT_TRUE(book_.started(kLease, CallId{1}, of(100)));
  EXPECT_FALSE(book_.started(kLease, CallId{2}, of(1)));
  book_.withdraw(kLease, CallId{1});
  EXPECT_TRUE(book_.started(kLease, CallId{2}, of(100)));
  EXPECT_EQ(book_.take().at(kLease).settled, of(0));
}

TEST_F(JournalBookTest, RefusesWhatIsNotOpen) {
  EXPECT_FALSE(book_.settled(kLease, CallId{1}, of(1)));
  EXPECT_FALSE(book_.started(LeaseId{2}, CallId{1}, of(1)));
  EXPECT_FALSE(book_.give_back(kLease, of(101)));
  EXPECT_TRUE(book_.give_back(kLease, of(1)));
  EXPECT_TRUE(book_.give_back(kLease));
  EXPECT_FALSE(book_.give_back(kLease));
  EXPECT_FALSE(book_.is_open(kLease));
  EXPECT_TRUE(book_.take().at(kLease).ends);
}

}  // namespace
}  // namespace hf::store
