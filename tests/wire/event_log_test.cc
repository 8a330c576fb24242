// Goal: nothing the scheduler is told or answers is lost or changed on its way through a log, and
// what is no log is refused with the place.
// Method: random values of every event, command and record, all members compared through their
// lists; golden lines, which also fix the order of the lists; damaged lines with known messages.
#include "wire/event_log.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <limits>
#include <string>

#include "base/utf8.h"
#include "wire/event_members.h"
#include "wire/exact_json.h"

namespace hf::wire {
namespace {

double any_double() {
  using Limits = std::numeric_limits<double>;
  const double special = *rc::gen::element(0.0, -0.0, 0.1, -1.0 / 3.0, Limits::denorm_min(),
                                           Limits::max(), Limits::infinity(), -Limits::infinity());
  return *rc::gen::arbitrary<bool>() ? special : *rc::gen::arbitrary<double>();
}

template <class T>
void fill(T& value) {
  if constexpr (std::same_as<T, bool>) {
    value = *rc::gen::arbitrary<bool>();
  } else if constexpr (WholeNumber<T>) {
    value = *rc::gen::element(std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                              *rc::gen::arbitrary<T>());
  } else if constexpr (std::same_as<T, double>) {
    value = any_double();
  } else if constexpr (Text<T>) {
    value = T(repair_utf8(*rc::gen::string<std::string>()));
  } else if constexpr (std::is_enum_v<T>) {
    constexpr std::size_t kNames = kEnumerators<T>.size();
    std::underlying_type_t<T> index{};
    fill(index);
    value = static_cast<T>(kNames == 0 ? index : index % std::max(kNames, std::size_t{1}));
  } else if constexpr (Counted<T> || std::same_as<T, TimePoint>) {
    std::int64_t count = 0;
    fill(count);
    if constexpr (std::same_as<T, TimePoint>) {
      value = TimePoint(Duration(count));
    } else {
      value = T(count);
    }
  } else if constexpr (kIsA<T, std::optional>) {
    value.reset();
    if (*rc::gen::arbitrary<bool>()) fill(value.emplace());
  } else if constexpr (List<T>) {
    value.resize(*rc::gen::inRange<std::size_t>(0, 4));
    for (auto& each : value) fill(each);
  } else {
    std::apply([](auto&... members) { (fill(members), ...); }, Members<T>::tie(value));
  }
}

template <class T>
bool is_same(const T& a, const T& b) {
  if constexpr (std::same_as<T, double>) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
  } else if constexpr (kIsA<T, std::optional>) {
    return a.has_value() == b.has_value() && (!a || is_same(*a, *b));
  } else if constexpr (List<T>) {
    return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return is_same(x, y); });
  } else if constexpr (std::is_class_v<T> && !Text<T> && !Counted<T> &&
                       !std::same_as<T, TimePoint>) {
    const auto others = Members<T>::tie(b);
    return std::apply(
        [&](const auto&... mine) {
          return std::apply([&](const auto&... other) { return (is_same(mine, other) && ...); },
                            others);
        },
        Members<T>::tie(a));
  } else {
    return a == b;
  }
}

template <class T>
void expect_same_through_json() {
  T value;
  fill(value);
  std::string text;
  put(text, value);
  const auto parsed = parse_json(text);
  RC_ASSERT(parsed.has_value());
  T again;
  fill(again);  // So that a member that is not read shows.
  const auto read = get(*parsed, again);
  RC_ASSERT(read.has_value());
  RC_ASSERT(is_same(value, again));
}

template <class... Held>
void expect_all_same_through_json(const std::variant<Held...>* /*none*/) {
  (expect_same_through_json<Held>(), ...);
}

RC_GTEST_PROP(EventLog, EveryEventSurvivesWithAllItsMembers, ()) {
  expect_all_same_through_json(static_cast<const Event*>(nullptr));
}

RC_GTEST_PROP(EventLog, EveryCommandSurvivesWithAllItsMembers, ()) {
  expect_all_same_through_json(static_cast<const Command*>(nullptr));
}

RC_GTEST_PROP(EventLog, OptionsAndRecordsSurviveWithAllTheirMembers, ()) {
  expect_same_through_json<Scheduler::Options>();
  expect_same_through_json<PolicyOptions>();
  expect_same_through_json<RunRecord>();
}

RC_GTEST_PROP(EventLog, AStepIsReadAsItWasWritten, ()) {
  CallFailed event;
  fill(event);
  TimePoint at;
  fill(at);
  std::string line;
  EventLogWriter(line).step(at, event, {});
  line.pop_back();
  const auto read = read_log_line(line);
  RC_ASSERT(read.has_value());
  const auto& step = std::get<LoggedStep>(*read);
  RC_ASSERT(step.at == at);
  RC_ASSERT(is_same(std::get<CallFailed>(step.event), event));
}

std::string without_sums(std::string text) {
  constexpr std::string_view kSum = R"("sum":")";
  for (std::size_t at = text.find(kSum); at != std::string::npos; at = text.find(kSum, at + 1)) {
    text.replace(at + kSum.size(), 16, "SUM");
  }
  return text;
}

TEST(EventLog, LinesLookAsDocumented) {
  std::string out;
  EventLogWriter writer(out);
  CallDone done;
  done.call = CallId(3);
  done.usage = Usage{Tokens(100), Tokens(20), Tokens(9)};
  done.output_bytes = 27;
  done.signals = Signals{.mean_logprob = -0.1, .margin = 0.5};
  StartCall start;
  start.call = CallId(4);
  start.query = QueryId(1);
  start.prompt = Prompt::kSink;
  start.subtask = SubtaskId(2);
  start.endpoint = EndpointId(1);
  start.max_tokens = Tokens(512);
  start.inputs = {SubtaskId(0), SubtaskId(1)};
  start.give_up = TimePoint(std::chrono::seconds(20));
  start.priority = 30;
  const std::vector<Command> commands{start, FinishQuery{QueryId(1), Outcome::kDegraded}};
  writer.step(TimePoint(Duration(5)), done, commands);
  writer.cut("No space left on device");
  writer.end();
  EXPECT_EQ(
      without_sums(out),
      R"({"at":5,"event":{"CallDone":{"call":3,"usage":{"prompt":100,"cached":20,"completion":9},)"
      R"("output_bytes":27,"cut_by_length":false,"has_answer":true,)"
      R"("signals":{"mean_logprob":"-0.1","low_logprob":null,"margin":"0.5"}}},)"
      R"("commands":[{"StartCall":{"call":4,"query":1,"kind":"Subtask","prompt":"Sink",)"
      R"("subtask":2,"endpoint":1,"max_tokens":512,"inputs":[0,1],"give_up":20000000000,)"
      R"("priority":30,"is_attempt":false,"worst":{"usd":0,"cloud_tokens":0},"lease":null}},)"
      R"({"FinishQuery":{"query":1,"outcome":"Degraded"}}],)"
      "\"sum\":\"SUM\"}\n"
      R"({"cut":{"reason":"No space left on device"},"sum":"SUM"})"
      "\n"
      R"({"end":{"events":1,"commands":2},"sum":"SUM"})"
      "\n");
}

TEST(EventLog, TheSameLineInAnotherPlaceHasAnotherSum) {
  std::string first;
  std::string second;
  EventLogWriter(first).end();
  EventLogWriter(second, 1).end();
  EXPECT_NE(first, second);
}

std::string complaint_about(std::string_view line) {
  const auto read = read_log_line(line);
  return read ? "none" : read.error().message;
}

TEST(EventLog, WhatIsNoLineIsRefusedWithTheMember) {
  const std::string foreign = "it is no line of an event log: ";
  EXPECT_EQ(complaint_about("hello"), foreign + "it is not JSON");
  EXPECT_EQ(complaint_about(""), foreign + "it is not JSON");
  EXPECT_EQ(complaint_about("[]"), foreign + "it must be an object");
  EXPECT_EQ(complaint_about("{}"), foreign + "it has no event, record or end");
  EXPECT_EQ(complaint_about(R"({"log":1})"), foreign + "the header is missing");
  EXPECT_EQ(complaint_about(R"({"log":2,"header":{}})"),
            "the log has format 2, this program reads 1");
  EXPECT_EQ(complaint_about(R"({"log":1,"header":{}})"), foreign + "header.program must be given");
  EXPECT_EQ(complaint_about(R"({"record":{"query":"x"}})"), foreign + "it names no query");
  EXPECT_EQ(complaint_about(R"({"event":{},"commands":[]})"), foreign + "at must be given");
  EXPECT_EQ(complaint_about(R"({"at":1,"event":{}})"), foreign + "commands must be a list");
}

TEST(EventLog, AReasonThatIsTooLongIsRefused) {
  Decision decision;
  const auto read = [&](std::size_t bytes) {
    std::string text;
    put(text, std::string(bytes, 'x'));
    return get(*parse_json(text), decision.reason);
  };
  EXPECT_TRUE(read(191));
  EXPECT_EQ(decision.reason.size(), 191U);
  ASSERT_FALSE(read(192));
  EXPECT_EQ(read(192).error().message, " must be a shorter text");
}

TEST(EventLog, AnEventIsReadStrictly) {
  const auto about = [](std::string_view event) {
    const std::string line = fmt::format(R"({{"at":1,"event":{},"commands":[]}})", event);
    std::string text = complaint_about(line);
    const std::string_view foreign = "it is no line of an event log: event";
    return text.starts_with(foreign) ? text.substr(foreign.size()) : text;
  };
  EXPECT_EQ(about(R"({"TimerFired":{"timer":18446744073709551615}})"), "none");
  EXPECT_EQ(about(R"({"TimerFired":{"timer":-1}})"),
            ".TimerFired.timer must be a whole number that fits");
  EXPECT_EQ(about(R"({"TimerFired":{"timer":1.0}})"),
            ".TimerFired.timer must be a whole number that fits");
  EXPECT_EQ(about(R"({"TimerFired":{}})"), ".TimerFired.timer must be given");
  EXPECT_EQ(about(R"({"TimerFired":{"timer":1,"more":2}})"), ".TimerFired.more is not known here");
  EXPECT_EQ(about(R"({"TimerFired":7})"), ".TimerFired must be an object");
  EXPECT_EQ(about(R"({"Surprise":{}})"), ".Surprise is not known here");
  EXPECT_EQ(about("{}"), " must be an object with one member");
  EXPECT_EQ(about(R"({"PlanEnded":{"query":1,"outcome":"Fine","sink":null,"pruned":[]}})"),
            ".PlanEnded.outcome must be a name that is known here");
  EXPECT_EQ(about(R"({"PlanEnded":{"query":1,"outcome":"Complete","sink":null,"pruned":1}})"),
            ".PlanEnded.pruned must be a list");
  const std::string done = R"({"CallDone":{"call":1,"usage":null,"output_bytes":4294967296,)";
  EXPECT_EQ(about(done + R"("cut_by_length":0,"has_answer":true,"signals":null}})"),
            ".CallDone.output_bytes must be a whole number that fits");
  const std::string cut = R"({"CallDone":{"call":1,"usage":null,"output_bytes":1,)";
  EXPECT_EQ(about(cut + R"("cut_by_length":0,"has_answer":true,"signals":null}})"),
            ".CallDone.cut_by_length must be true or false");
  const std::string signals =
      R"({"CallDone":{"call":1,"usage":null,"output_bytes":1,"cut_by_length":false,)"
      R"("has_answer":true,"signals":)";
  EXPECT_EQ(about(signals + R"({"mean_logprob":0.5,"margin":"0"}}})"),
            ".CallDone.signals.mean_logprob must be a text");
  EXPECT_EQ(about(signals + R"({"mean_logprob":"1x","margin":"0"}}})"),
            ".CallDone.signals.mean_logprob must be a number in quotes");
}

TEST(EventLog, ADifferenceIsNamedDownToTheMember) {
  const auto place = [](std::string_view logged, std::string_view made) {
    const auto found = difference_of(logged, made);
    return found ? found->place + ": " + found->expected + " / " + found->got : "none";
  };
  const std::string line = R"({"at":1,"commands":[{"A":{"x":1}},{"B":{"y":[2]}}],"sum":"a"})";
  EXPECT_EQ(place(line, line), "none");
  EXPECT_EQ(place(line, R"({"at":1,"commands":[{"A":{"x":1}},{"B":{"y":[3]}}],"sum":"b"})"),
            "commands[1].B.y[0]: 2 / 3");
  EXPECT_EQ(place(line, R"({"at":1,"commands":[{"A":{"x":1}}],"sum":"b"})"),
            R"(commands[1]: {"B":{"y":[2]}} / nothing)");
  EXPECT_EQ(place(line, R"({"at":1,"commands":[{"C":{"x":1}},{"B":{"y":[2]}}],"sum":"b"})"),
            R"(commands[0].C: nothing / {"x":1})");
  EXPECT_EQ(place(line, R"({"at":1,"commands":[{"A":{"x":1}},{"B":{"y":[2]}}],"sum":"b"})"),
            R"(sum: "a" / "b")");
  EXPECT_EQ(place(R"({"at": 1})", R"({"at":1})"),
            "sum: the line as it stands / the same in other characters");
}

TEST(EventLog, EventsAreShownShortened) {
  EXPECT_EQ(words_of(TimerFired{.timer = 3}), R"(TimerFired {"timer":3})");
  CallFailed failed;
  failed.detail = std::string(1000, 'x');
  EXPECT_LT(words_of(failed).size(), 200U);
}

}  // namespace
}  // namespace hf::wire
