// Goal: the books of the key-value memory are right: what is shared is counted once, what is needed
// is never given away, and siblings wait exactly when waiting pays.
// Method: examples for the decisions, and random histories checked against a naive model.
#include "engine/prefix_cache.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <numeric>
#include <set>

namespace hf::engine {
namespace {

using Kind = PrefixCache::Advice::Kind;

std::vector<Token> run_of(Token first, std::size_t count) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::vector<Token> joined(std::vector<Token> a, const std::vector<Token>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(PrefixCache, FirstPromptIsComputedAtOnce) {
  PrefixCache cache(4, 100);
  const auto id = cache.open(run_of(0, 10), 20)->id;
  EXPECT_EQ(cache.advice(id).kind, Kind::kCompute);
}

TEST(PrefixCache, SiblingWaitsForAPrefixThatIsBeingComputedAndThenCopiesIt) {
  PrefixCache cache(4, 200);
  const auto common = run_of(0, 50);
  const auto a = cache.open(joined(common, run_of(100, 5)), 60)->id;
  cache.start(a);
  const auto b = cache.open(joined(common, run_of(200, 5)), 60)->id;
  EXPECT_EQ(cache.advice(b).kind, Kind::kWait);
  cache.compute(a, 30);
  EXPECT_EQ(cache.advice(b).kind, Kind::kWait);
  cache.compute(a, 25);
  const auto advice = cache.advice(b);
  EXPECT_EQ(advice.kind, Kind::kCopy);
  EXPECT_EQ(advice.source, a);
  EXPECT_EQ(advice.length, 50U);
  cache.copy(a, b, advice.length);
  EXPECT_EQ(cache.used_cells(), 55U);  // Nothing twice.
}

TEST(PrefixCache, SmallGainIsNotWorthWaiting) {
  PrefixCache cache(4, 200);
  const auto common = run_of(0, PrefixCache::kWaitGain - 1);
  cache.start(cache.open(joined(common, run_of(100, 50)), 80)->id);
  const auto b = cache.open(joined(common, run_of(200, 50)), 80)->id;
  EXPECT_EQ(cache.advice(b).kind, Kind::kCompute);
}

TEST(PrefixCache, NobodyWaitsForOneThatWaitsItself) {
  PrefixCache cache(4, 400);
  const auto prompt = run_of(0, 50);
  const auto a = cache.open(prompt, 60)->id;
  const auto b = cache.open(prompt, 60)->id;
  EXPECT_EQ(cache.advice(a).kind, Kind::kCompute);
  EXPECT_EQ(cache.advice(b).kind, Kind::kCompute);
}

TEST(PrefixCache, LastTokenOfAPromptIsAlwaysComputed) {
  PrefixCache cache(4, 200);
  const auto prompt = run_of(0, 20);
  const auto a = cache.open(prompt, 30)->id;
  cache.start(a);
  cache.compute(a, 20);
  const auto b = cache.open(prompt, 30)->id;
  EXPECT_EQ(cache.advice(b).length, 19U);
}

TEST(PrefixCache, FinishedSequenceServesLaterPromptsUntilItsRoomIsNeeded) {
  PrefixCache cache(4, 100);
  const auto a = cache.open(run_of(0, 40), 50)->id;
  cache.start(a);
  cache.compute(a, 40);
  cache.append(a, 7);  // Generated, but never computed: it cannot serve anybody.
  cache.retain(a);
  EXPECT_EQ(cache.tokens(a).size(), 40U);
  const auto b = cache.open(run_of(500, 80), 90)->id;
  EXPECT_TRUE(cache.fits());
  EXPECT_EQ(cache.make_room(), std::vector<SequenceId>{a});
  EXPECT_EQ(cache.used_cells(), 0U);
  cache.start(b);
  cache.compute(b, 80);
}

TEST(PrefixCache, OldestUnusedIsEvictedFirst) {
  PrefixCache cache(3, 300);
  std::vector<SequenceId> ids;
  for (Token t = 0; t < 3; ++t) {
    const auto id = cache.open(run_of(t * 100, 30), 40)->id;
    cache.start(id);
    cache.compute(id, 30);
    ids.push_back(id);
  }
  for (const auto id : ids) cache.retain(id);
  const auto d = cache.open(joined(run_of(100, 30), {1}), 40);
  EXPECT_EQ(d->evicted, ids[0]);
  cache.copy(ids[1], d->id, 20);  // Use makes it young.
  EXPECT_EQ(cache.evict(), ids[2]);
  EXPECT_EQ(cache.evict(), ids[1]);
  EXPECT_EQ(cache.evict(), std::nullopt);
}

TEST(PrefixCache, RequestThatCannotFitBesideActiveOnesDoesNotFit) {
  PrefixCache cache(4, 100);
  const auto a = cache.open(run_of(0, 40), 60)->id;
  cache.start(a);
  EXPECT_TRUE(cache.fits());
  const auto b = cache.open(run_of(500, 30), 50)->id;
  EXPECT_FALSE(cache.fits());
  cache.drop(b);
  EXPECT_TRUE(cache.fits());
}

TEST(PrefixCache, OpenFailsWhenEverySequenceIsActive) {
  PrefixCache cache(2, 100);
  for (int i = 0; i < 2; ++i) cache.start(cache.open(run_of(0, 2), 4)->id);
  EXPECT_FALSE(cache.open(run_of(0, 2), 4).has_value());
}

// A random history over few distinct tokens, so that prefixes are shared all the time. The naive
// model keeps each sequence's cells as identities: (who computed it, where).
RC_GTEST_PROP(PrefixCache, CountsEachCellOnceAndNeverLosesOne, ()) {
  constexpr std::size_t kCells = 60;
  PrefixCache cache(5, kCells);
  struct Naive {
    std::vector<std::pair<int, std::size_t>> cells;
    bool is_active = true;
  };
  std::map<SequenceId, Naive> naive;
  int births = 0;
  const auto forget = [&](SequenceId id) { naive.erase(id); };
  const auto steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const auto action = *rc::gen::inRange(0, 4);
    if (action == 0) {
      const auto prompt = *rc::gen::container<std::vector<Token>>(
          *rc::gen::inRange<std::size_t>(1, 20), rc::gen::inRange(0, 2));
      const auto limit = prompt.size() + *rc::gen::inRange<std::size_t>(1, 10);
      const auto opened = cache.open(prompt, limit);
      if (!opened) continue;
      if (opened->evicted) forget(*opened->evicted);
      Naive entry;
      const auto advice = cache.advice(opened->id);
      if (advice.kind == Kind::kCopy) {
        const auto& from = naive.at(advice.source).cells;
        RC_ASSERT(advice.length < prompt.size() && advice.length <= from.size());
        for (std::size_t i = 0; i < advice.length; ++i) {
          RC_ASSERT(cache.tokens(advice.source)[i] == prompt[i]);
        }
        cache.copy(advice.source, opened->id, advice.length);
        entry.cells.assign(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(advice.length));
      }
      if (!cache.fits()) {
        cache.drop(opened->id);
        continue;
      }
      for (const auto gone : cache.make_room()) forget(gone);
      cache.start(opened->id);
      naive[opened->id] = std::move(entry);
    } else if (!naive.empty()) {
      auto it = std::next(naive.begin(), *rc::gen::inRange<std::ptrdiff_t>(
                                             0, static_cast<std::ptrdiff_t>(naive.size())));
      const auto id = it->first;
      if (!it->second.is_active) continue;
      const auto left = cache.tokens(id).size() - cache.computed(id);
      if (action == 1) {
        const auto count = *rc::gen::inRange<std::size_t>(0, left + 1);
        ++births;
        for (std::size_t i = 0; i < count; ++i) it->second.cells.emplace_back(births, i);
        cache.compute(id, count);
      } else if (action == 2) {
        cache.retain(id);
        it->second.is_active = false;
        if (it->second.cells.empty()) forget(id);
      } else {
        cache.drop(id);
        forget(id);
      }
    }
    std::set<std::pair<int, std::size_t>> distinct;
    for (const auto& [id, entry] : naive) {
      RC_ASSERT(cache.computed(id) == entry.cells.size());
      distinct.insert(entry.cells.begin(), entry.cells.end());
    }
    RC_ASSERT(cache.used_cells() == distinct.size());
    RC_ASSERT(cache.used_cells() <= kCells);
    RC_ASSERT(cache.fits());
  }
}

}  // namespace
}  // namespace hf::engine
