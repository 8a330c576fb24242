// Goal: a recorded run replays to the bit; a log that was changed, cut or never was one is named
// with its line; and nothing in a log can bring the program down.
// Method: logs of random runs written by a small driver, replayed as they are and after every kind
// of damage, among them every number in a log changed in turn.
#include "replay/replay.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "recorded_run.h"

namespace hf {
namespace {

Result<ReplayReport> replay_text(const std::string& text) {
  std::istringstream log(text);
  return replay(log, "run.log", [](const std::string& digest) -> ModelSource::result_type {
    return fail(Code::kInvalidInput, "there are no weights " + digest);
  });
}

std::string recorded(std::uint64_t seed) {
  RecordedRun run(seed);
  run.run(1);
  run.run(2);
  run.end();
  return run.log();
}

// The log of the first run that has this text in it.
std::string recorded_with(std::string_view text) {
  for (std::uint64_t seed = 1; seed < 1000; ++seed) {
    std::string log = recorded(seed);
    if (log.contains(text)) return log;
  }
  ADD_FAILURE() << "no run has " << text;
  return {};
}

std::string complaint_about(const std::string& text) {
  const auto report = replay_text(text);
  return report ? "none" : report.error().message;
}

void replace_once(std::string& text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), with);
}

TEST(Replay, RecordedRunsComeOutIdentical) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RecordedRun run(seed);
    run.run(1);
    run.run(2);
    run.end();
    const auto report = replay_text(run.log());
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_TRUE(report->is_identical()) << seed;
    EXPECT_TRUE(report->is_complete);
    EXPECT_EQ(report->events, run.events());
    EXPECT_GT(report->commands, 0U);
    ASSERT_EQ(report->queries.size(), 2U);
    EXPECT_TRUE(report->queries[0].outcome.has_value());
  }
}

TEST(Replay, EachCallComesWithItsDecision) {
  const auto report = replay_text(recorded(1));
  ASSERT_TRUE(report.has_value());
  std::size_t decisions = 0;
  for (const Choice& choice : report->choices) {
    EXPECT_EQ(choice.decision.has_value(), choice.call.kind != CallKind::kPlanner);
    if (!choice.decision) continue;
    ++decisions;
    EXPECT_FALSE(choice.decision->reason.empty());
    EXPECT_GE(choice.at, Duration(0));
  }
  EXPECT_GT(decisions, 0U);
}

TEST(Replay, AChangedCommandIsNamedWithWhatWasExpectedAndGot) {
  const std::string_view answered = R"("outcome":"Answered"}})";
  std::string log = recorded_with(answered);
  replace_once(log, answered, R"("outcome":"Refused"}})");
  const auto report = replay_text(log);
  ASSERT_TRUE(report && report->difference);
  EXPECT_TRUE(report->difference->what.place.ends_with("FinishQuery.outcome"));
  EXPECT_EQ(report->difference->what.expected, "\"Refused\"");
  EXPECT_EQ(report->difference->what.got, "\"Answered\"");
  EXPECT_TRUE(report->difference->event.starts_with("CallDone {\"call\":"));
}

TEST(Replay, AChangedRecordIsNamed) {
  std::string log = recorded_with(R"("attempts":1)");
  const std::size_t record = log.find(R"({"record":)");
  const std::size_t attempts = log.find(R"("attempts":1)", record);
  ASSERT_NE(attempts, std::string::npos);
  log.replace(attempts, 12, R"("attempts":7)");
  const auto report = replay_text(log);
  ASSERT_TRUE(report && report->difference);
  EXPECT_EQ(report->difference->event, "the record of query 1");
  EXPECT_TRUE(report->difference->what.place.ends_with(".attempts"));
  EXPECT_EQ(report->difference->what.expected, "7");
}

TEST(Replay, AChangeWithoutConsequenceIsNamedToo) {
  // Nothing but a trained model uses it, so every command comes out the same.
  const std::string_view unused = R"("foreign":0)";
  std::string log = recorded_with(unused);
  replace_once(log, unused, R"("foreign":1)");
  const auto report = replay_text(log);
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->is_identical());
  EXPECT_FALSE(report->difference);
  EXPECT_GT(report->changed_line, 1U);
}

TEST(Replay, NoChangedDigitPassesUnnoticed) {
  const std::string log = recorded(5);
  std::size_t tried = 0;
  for (std::size_t at = log.find_first_of("0123456789"); at != std::string::npos;
       at = log.find_first_of("0123456789", at + 5)) {
    std::string changed = log;
    changed[at] = changed[at] == '9' ? '1' : static_cast<char>(changed[at] + 1);
    const auto report = replay_text(changed);
    EXPECT_FALSE(report && report->is_identical()) << "at " << at;
    ++tried;
  }
  EXPECT_GT(tried, 500U);
}

TEST(Replay, NoDamagedByteBringsItDown) {
  const std::string log = recorded(6);
  for (std::size_t at = 0; at < log.size(); at += 29) {
    for (const char byte : {'\0', '"', '}', '\n', '\xFF', '-'}) {
      if (log[at] == byte) continue;
      std::string changed = log;
      changed[at] = byte;
      const auto report = replay_text(changed);
      EXPECT_FALSE(report && report->is_identical()) << "at " << at;
      if (!report) EXPECT_TRUE(report.error().message.starts_with("run.log:"));
    }
  }
}

TEST(Replay, LostAndSwappedLinesAreNoticed) {
  const std::string log = recorded(7);
  std::vector<std::string> lines;
  std::istringstream input(log);
  for (std::string line; std::getline(input, line);) lines.push_back(line + "\n");
  const auto without = [&](std::size_t skipped, std::size_t swapped) {
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i == skipped) continue;
      text += lines[i == swapped ? i + 1 : i == swapped + 1 ? swapped : i];
    }
    return text;
  };
  for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
    const auto lost = replay_text(without(i, lines.size()));
    EXPECT_FALSE(lost && lost->is_identical()) << i;
    const auto swapped = replay_text(without(lines.size(), i));
    EXPECT_FALSE(swapped && swapped->is_identical()) << i;
  }
}

TEST(Replay, ALogThatEndsInTheMiddleReplaysUpToThere) {
  RecordedRun run(8);
  run.run(1);
  run.run(2, RecordedRun::Stop::kCrash);
  const auto report = replay_text(run.log());
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->is_identical());
  EXPECT_FALSE(report->is_complete);
  EXPECT_EQ(report->events, run.events());
  ASSERT_EQ(report->queries.size(), 2U);
  EXPECT_FALSE(report->queries[1].outcome);
}

TEST(Replay, ALogThatWasCutSaysWhy) {
  RecordedRun run(8);
  run.run(1);
  run.cut("No space left on device");
  const auto report = replay_text(run.log());
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->is_identical());
  EXPECT_FALSE(report->is_complete);
  EXPECT_EQ(report->cut, "No space left on device");
}

TEST(Replay, ATornLineIsDamage) {
  const std::string log = recorded(9);
  const std::string torn = log.substr(0, log.size() * 2 / 3);
  const std::string complaint = complaint_about(torn);
  const auto line = std::ranges::count(torn, '\n') + 1;
  EXPECT_EQ(complaint, fmt::format("run.log:{}: the log is cut off in the middle of this line; all "
                                   "is identical before it.",
                                   line));
}

TEST(Replay, WhatIsNoLogIsRefused) {
  const std::string log = recorded(10);
  const std::string header = log.substr(0, log.find('\n') + 1);
  EXPECT_EQ(complaint_about(""), "run.log:1: the event log is empty.");
  EXPECT_EQ(complaint_about("a poem\n"),
            "run.log:1: it is no line of an event log: it is not JSON.");
  EXPECT_EQ(complaint_about(log.substr(header.size())),
            "run.log:1: the log does not begin with a header.");
  EXPECT_EQ(complaint_about(header + header), "run.log:2: there is a second header.");
  EXPECT_TRUE(complaint_about(log + "{\"end\":{}}\n")
                  .ends_with(": there is more behind the end of the log."));
  EXPECT_EQ(complaint_about(std::string(wire::kLogLineBytesMax + 1, ' ')),
            "run.log:1: the line is too long for an event log.");
  std::string unknown = header;
  replace_once(unknown, R"("policy":")", R"("policy":"x-)");
  EXPECT_TRUE(complaint_about(unknown).starts_with("run.log:1: ")) << complaint_about(unknown);
}

// A header and one more line, made by hand.
std::string complaint_about_second(std::string_view line) {
  const std::string log = recorded(10);
  const std::string more =
      R"({"at":9,"event":{"QueryArrived":{"query":1,"budget":{"usd":null,"cloud_tokens":null,)"
      R"("deadline":null},"plan":true,"plan_given":true,"local_only":false,)"
      R"("among":[],"answer_tokens":null,"question_bytes":1,)"
      R"("features":{"words":0,"numbers":0,"operators":0,"choices":0,"code":0,"foreign":0,)"
      R"("difficulty":0,"category":0,"edge_text":"0","cloud_text":"0"},)"
      R"("seed":0,"account":0,"is_forwarded":false,"is_cap_fixed":false}},"commands":[]})"
      "\n";
  std::string text = complaint_about(log.substr(0, log.find('\n') + 1) + more + std::string(line));
  return text.starts_with("run.log:3: ") ? text.substr(11) : text;
}

// A query with these members of its own.
std::string complaint_about_query(std::string_view plan, std::string_view tokens,
                                  std::string_view is_forwarded) {
  return complaint_about_second(fmt::format(
      R"({{"at":9,"event":{{"QueryArrived":{{"query":2,"budget":{{"usd":null,"cloud_tokens":null,)"
      R"("deadline":null}},"plan":{},"plan_given":false,"local_only":false,)"
      R"("among":[],"answer_tokens":{},"question_bytes":1,)"
      R"("features":{{"words":0,"numbers":0,"operators":0,"choices":0,"code":0,"foreign":0,)"
      R"("difficulty":0,"category":0,"edge_text":"0","cloud_text":"0"}},)"
      R"("seed":0,"account":0,"is_forwarded":{},"is_cap_fixed":false}}}},"commands":[]}})"
      "\n",
      plan, tokens, is_forwarded));
}

TEST(Replay, RequestsThatCannotBePassedOnAreRefused) {
  EXPECT_EQ(complaint_about_query("true", "9", "true"), "a request that is passed on has no plan.");
  EXPECT_EQ(complaint_about_query("false", "-1", "true"), "the cap of the answer is out of range.");
}

TEST(Replay, WhatTheSchedulerMustNotBeToldIsRefused) {
  const auto step = [](std::string_view id, std::string_view relies_on, std::string_view expected) {
    return complaint_about_second(fmt::format(
        R"({{"at":9,"event":{{"StepParsed":{{"query":1,"id":{},"subtask":{{"role":"Analyze",)"
        R"("relies_on":{},"expected":{}}},"task_bytes":1,"features":{{"words":0,"numbers":0,)"
        R"("operators":0,"choices":0,"code":0,"foreign":0,"difficulty":0,"category":0,)"
        R"("edge_text":"0","cloud_text":"0"}}}}}},"commands":[]}})"
        "\n",
        id, relies_on, expected));
  };
  EXPECT_EQ(step("0", "[]", "1"), "none");
  EXPECT_EQ(step("1", "[]", "1"), "step 1 comes where step 0 must.");
  EXPECT_EQ(step("0", "[0]", "1"), "a step relies on itself, on a later one or on one twice.");
  EXPECT_EQ(step("0", "[]", "-1"), "a size of the step is out of range.");
  EXPECT_EQ(complaint_about_second(
                R"({"at":9,"event":{"PlanEnded":{"query":1,"outcome":"Complete","sink":0,)"
                R"("pruned":[]}},"commands":[]})"
                "\n"),
            "the end of the plan names steps that cannot be meant.");
  EXPECT_EQ(complaint_about_second(R"({"at":8,"event":{"TimerFired":{"timer":1}},"commands":[]})"
                                   "\n"),
            "its time is before that of another line, or beyond all bounds.");
  EXPECT_EQ(complaint_about_second(R"({"record":{"query":7}})"
                                   "\n"),
            "it is the record of a query that is not there.");
}

TEST(Replay, SizesThatWouldOverflowTheBooksAreRefused) {
  std::string log = recorded(10);
  replace_once(log, R"("question_bytes":200)", R"("question_bytes":4294967295)");
  EXPECT_EQ(complaint_about(log), "run.log:2: the question is too long.");
  log = recorded_with(R"("output_bytes":40)");
  replace_once(log, R"("output_bytes":40)", R"("output_bytes":4294967295)");
  EXPECT_TRUE(complaint_about(log).ends_with(": the answer is too long."));
}

TEST(Replay, AHeaderOutOfRangeIsRefused) {
  const std::string log = recorded(10);
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string changed = log;
    replace_once(changed, what, instead);
    return complaint_about(changed);
  };
  EXPECT_EQ(with(R"("planner":0)", R"("planner":2)"),
            "run.log:1: the endpoints or the planner's number are out of range.");
  EXPECT_EQ(with(R"("prompt":2000000)", R"("prompt":-1)"), "run.log:1: a price is out of range.");
  EXPECT_EQ(with(R"("plan_max_tokens":)", R"("plan_max_tokens":9000000)"),
            "run.log:1: a limit of tokens is out of range.");
  EXPECT_EQ(with(R"("cool_down":)", R"("cool_down":-)"), "run.log:1: a duration is out of range.");
  EXPECT_EQ(with(R"("process":{"usd":null)", R"("process":{"usd":-1)"),
            "run.log:1: a budget is negative.");
}

}  // namespace
}  // namespace hf
