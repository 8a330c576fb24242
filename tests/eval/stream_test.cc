// Goal: a stream does with recorded outcomes what the live program would do: order, places, clock,
// bills, attempts and feedback.
// Method: hand-made queries and a router that does as it is told.
#include "eval/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "route/pick.h"

namespace hf::eval {
namespace {

// One step: on the edge wrong in 2 s, in the cloud right in 1 s for a dollar, attempts right after
// a vote of 1 s.
OutcomeRow row_of(std::string query, std::string subtask, std::vector<std::string> inputs) {
  OutcomeRow row;
  row.query = std::move(query);
  row.subtask = std::move(subtask);
  row.depends_on = std::move(inputs);
  row.text = row.query + " " + row.subtask;
  const auto arm = [](std::string name, Tier tier, double correct, double seconds) {
    ArmOutcome out;
    out.endpoint = std::move(name);
    out.tier = tier;
    out.correct = correct;
    out.seconds = seconds;
    out.completion = Tokens(10);
    out.usd = PicoUsd(tier == Tier::kCloud ? kPicoPerUsd : 0);
    return out;
  };
  row.arms = {arm("edge", Tier::kEdge, 0, 2), arm("voter", Tier::kEdge, 1, 1),
              arm("other", Tier::kEdge, 1, 0), arm("cloud", Tier::kCloud, 1, 1)};
  row.arms[0].output = "B";
  row.arms[1].output = "A";
  row.arms[2].output = "A";
  return row;
}

Prepared prepared(std::vector<OutcomeRow> rows) {
  const auto dataset = Dataset::from(std::move(rows));
  EXPECT_TRUE(dataset.has_value());
  auto data = prepare(*dataset, nullptr);
  EXPECT_TRUE(data.has_value());
  return *std::move(data);
}

// Sends the steps named to the cloud, tries those named, and keeps what they came to.
class Told : public Router {
 public:
  // c: cloud, t: try, e: try and escalate, 1: try with one voter, 2: the same and then the other;
  // else edge.
  std::map<std::size_t, char> courses;
  std::vector<Lesson> lessons;
  std::vector<int> looks;  // Voters by then.
  std::size_t settlements = 0;

  Decision choose(const RouteInput& input) override {
    const char course = course_of(input);
    Decision decision = pick(input, course == 'c' ? Tier::kCloud : Tier::kEdge, "told");
    if (course == 't' || course == 'e') {
      decision.action = Action::kAttempt;
      decision.votes = input.voters;
    }
    if (course == '1' || course == '2') {
      decision.action = Action::kAttempt;
      decision.votes = 1;
    }
    return decision;
  }
  Decision review(const RouteInput& input, const hf::Attempt& attempt) override {
    looks.push_back(attempt.voters);
    if (course_of(input) == '2' && attempt.voters < 2) {
      Decision decision = pick(input, Tier::kEdge, "told");
      decision.action = Action::kAttempt;
      decision.votes = 2;
      return decision;
    }
    return pick(input, course_of(input) == 'e' ? Tier::kCloud : Tier::kEdge, "told");
  }
  void settled(const RouteInput&, const Decision&) override { ++settlements; }
  void learned(const RouteInput&, const Decision&, const Lesson& lesson) override {
    lessons.push_back(lesson);
  }

 private:
  char course_of(const RouteInput& input) { return courses[index_of(input.subtask)]; }
};

StreamResult run(const Prepared& data, Told& router, double dollars, std::uint32_t places = 1,
                 PriceChange price = {}) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < data.queries.size(); ++i) order.push_back(i);
  return run_stream(data, order, router,
                    {.limit = PicoUsd(static_cast<std::int64_t>(dollars * 1e12)),
                     .price = price,
                     .edge_places = places});
}

TEST(Stream, StepsSharePlacesOnTheEdgeButNotInTheCloud) {
  const Prepared data =
      prepared({row_of("q", "a", {}), row_of("q", "b", {}), row_of("q", "c", {"a", "b"})});
  Told router;
  EXPECT_DOUBLE_EQ(run(data, router, 10).queries[0].seconds, 6);
  EXPECT_DOUBLE_EQ(run(data, router, 10, 2).queries[0].seconds, 4);
  router.courses = {{0, 'c'}, {1, 'c'}};
  const StreamResult result = run(data, router, 10);
  EXPECT_DOUBLE_EQ(result.queries[0].seconds, 3);
  EXPECT_EQ(result.spent, PicoUsd(2 * kPicoPerUsd));
  EXPECT_EQ(result.to_cloud, 2);
  EXPECT_EQ(result.to_edge, 1);
  EXPECT_DOUBLE_EQ(result.queries[0].correct, 2.0 / 3);
  EXPECT_FALSE(result.queries[0].is_all_correct);
}

TEST(Stream, TheLedgerRefusesWhatDoesNotFitAndTheEdgeDoesIt) {
  const Prepared data = prepared({row_of("p", "1", {}), row_of("q", "1", {})});
  Told router;
  router.courses = {{0, 'c'}};
  const StreamResult result = run(data, router, 1.5);
  EXPECT_EQ(result.spent, PicoUsd(kPicoPerUsd));
  EXPECT_EQ(result.overshoot, PicoUsd(0));
  EXPECT_TRUE(result.queries[0].is_all_correct);
  EXPECT_FALSE(result.queries[1].is_all_correct);
}

TEST(Stream, AnAttemptTakesTheVotesTimeAndKeepsTheirAnswer) {
  const Prepared data = prepared({row_of("q", "1", {})});
  Told router;
  router.courses = {{0, 't'}};
  const StreamResult kept = run(data, router, 10);
  EXPECT_DOUBLE_EQ(kept.queries[0].seconds, 3);
  EXPECT_DOUBLE_EQ(kept.queries[0].correct, 1);
  EXPECT_EQ(kept.attempts, 1);
  EXPECT_EQ(kept.spent, PicoUsd(0));
  router.courses = {{0, 'e'}};
  const StreamResult escalated = run(data, router, 10);
  EXPECT_DOUBLE_EQ(escalated.queries[0].seconds, 4);
  EXPECT_EQ(escalated.to_cloud, 1);
  EXPECT_EQ(escalated.spent, PicoUsd(kPicoPerUsd));
  // Without money the answer that was kept stands.
  EXPECT_DOUBLE_EQ(run(data, router, 0.5).queries[0].correct, 1);
}

TEST(Stream, SomeOfTheVotersMayBeAskedAndTheOthersLater) {
  const Prepared data = prepared({row_of("q", "1", {})});
  Told router;
  router.courses = {{0, '1'}};
  const StreamResult one = run(data, router, 10);
  EXPECT_DOUBLE_EQ(one.queries[0].seconds, 3);
  EXPECT_DOUBLE_EQ(one.queries[0].correct, 0) << "one voice each, and the first stands";
  EXPECT_EQ(one.votes, 1);
  EXPECT_EQ(router.looks, std::vector<int>({1}));
  ASSERT_EQ(router.lessons.size(), 1);
  EXPECT_EQ(router.lessons[0].attempt->voters, 1);

  router = {};
  router.courses = {{0, '2'}};
  const StreamResult both = run(data, router, 10);
  EXPECT_DOUBLE_EQ(both.queries[0].correct, 1);
  EXPECT_EQ(both.votes, 2);
  EXPECT_EQ(both.attempts, 1);
  EXPECT_EQ(router.looks, std::vector<int>({1, 2}));
  EXPECT_EQ(router.settlements, 1) << "asking on is not the last decision";
}

TEST(Stream, VotersShareThePlacesOnTheEdge) {
  const Prepared alone = prepared({row_of("q", "1", {})});
  Told router;
  router.courses = {{0, 't'}};
  EXPECT_DOUBLE_EQ(run(alone, router, 10, 1).queries[0].seconds, 3);
  EXPECT_DOUBLE_EQ(run(alone, router, 10, 2).queries[0].seconds, 2) << "next to the first result";
  // A voter of one step keeps another one from its place: 2 + 1 + 2 seconds of work.
  const Prepared two = prepared({row_of("q", "a", {}), row_of("q", "b", {})});
  EXPECT_DOUBLE_EQ(run(two, router, 10, 1).queries[0].seconds, 5);
}

TEST(Stream, TheLastAnswersAreCutWhereTheMoneyEnds) {
  Prepared data = prepared({row_of("p", "1", {}), row_of("q", "1", {}), row_of("r", "1", {})});
  for (Item& item : data.items) {
    item.likely = PicoUsd(kPicoPerUsd);
    item.worst = PicoUsd(5 * kPicoPerUsd);
  }
  data.items[1].usd = PicoUsd(2 * kPicoPerUsd);
  Told router;
  router.courses = {{0, 'c'}};
  // One dollar of 2.5 is spent; the second answer would cost two of the 1.5 that are left.
  const StreamResult result = run(data, router, 2.5);
  EXPECT_EQ(result.spent, PicoUsd(5 * kPicoPerUsd / 2));
  EXPECT_EQ(result.cut, 1);
  EXPECT_EQ(result.to_cloud, 2);
  EXPECT_EQ(result.overshoot, PicoUsd(0));
  EXPECT_DOUBLE_EQ(result.queries[0].correct, 1);
  EXPECT_DOUBLE_EQ(result.queries[1].correct, 0) << "it was paid for and is of no use";
  EXPECT_EQ(result.queries[2].usd, PicoUsd(0)) << "nothing is left";
}

TEST(Stream, ARouterHearsOfItsOwnChoicesOnceEach) {
  const Prepared data =
      prepared({row_of("q", "a", {}), row_of("q", "b", {}), row_of("q", "c", {})});
  Told router;
  router.courses = {{0, 'c'}, {1, 't'}};
  run(data, router, 10);
  EXPECT_EQ(router.settlements, 3);
  ASSERT_EQ(router.lessons.size(), 3);
  int tried = 0;
  for (const Lesson& lesson : router.lessons) {
    ASSERT_TRUE(lesson.correct.has_value());
    if (lesson.attempt != nullptr) ++tried;
    const bool is_right = lesson.tier == Tier::kCloud || lesson.attempt != nullptr;
    EXPECT_EQ(*lesson.correct, is_right ? 1 : 0);
  }
  EXPECT_EQ(tried, 1);
}

TEST(Stream, PricesChangeAtTheirPlaceInTheOrder) {
  const Prepared data = prepared(
      {row_of("a", "1", {}), row_of("b", "1", {}), row_of("c", "1", {}), row_of("d", "1", {})});
  Told router;
  router.courses = {{0, 'c'}};
  const StreamResult result = run(data, router, 100, 1, {.factor = 3, .at = 0.5});
  EXPECT_EQ(result.queries[1].usd, PicoUsd(kPicoPerUsd));
  EXPECT_EQ(result.queries[2].usd, PicoUsd(3 * kPicoPerUsd));
  EXPECT_EQ(result.spent, PicoUsd(8 * kPicoPerUsd));
  ASSERT_EQ(result.spending.size(), 100);
  EXPECT_DOUBLE_EQ(result.spending[49], 0.02);
  EXPECT_DOUBLE_EQ(result.spending[99], 0.08);
}

}  // namespace
}  // namespace hf::eval
