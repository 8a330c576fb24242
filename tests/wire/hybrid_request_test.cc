// Goal: a request is read as it was meant, every wrong one names its field and code, and no bytes
// break the reader.
// Method: requests by hand, one fault at a time; random bytes and damaged requests.
#include "wire/hybrid_request.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/utf8.h"

namespace hf::wire {
namespace {

const std::string kMessages = R"("messages":[{"role":"user","content":"How many?"}])";

std::string request(std::string_view more) {
  return R"({"model":"hybrid/auto",)" + kMessages + std::string(more) + "}";
}
std::string extension(std::string_view members) {
  return request(R"(,"hybridflow":{)" + std::string(members) + "}");
}

// For a model that is no endpoint's name.
std::expected<HybridRequest, RequestFault> read_request(std::string_view body) {
  return read_hybrid_request(body, [](std::string_view model) { return model == "endpoint"; });
}

struct Case {
  std::string body;
  std::string param;
  std::string code = "invalid_value";
};

void expect_fault(const Case& each) {
  const auto read = read_request(each.body);
  ASSERT_FALSE(read.has_value()) << each.body;
  EXPECT_EQ(read.error().param, each.param) << each.body;
  EXPECT_EQ(read.error().code, each.code) << each.body;
  EXPECT_TRUE(read.error().message.ends_with('.')) << read.error().message;
}

TEST(HybridRequest, IsReadWithAllItsFields) {
  const auto read = read_request(R"({
    "model": "hybrid/auto", "stream": true, "stream_options": {"include_usage": true},
    "messages": [{"role": "developer", "content": "Be brief."},
                 {"role": "assistant", "content": null},
                 {"role": "user", "content": [{"type": "text", "text": "How "},
                                              {"type": "text", "text": "many?"}]}],
    "max_completion_tokens": 40, "temperature": 0.5, "top_p": 0.9, "seed": -3, "n": 1,
    "stop": ["#"], "user": "me", "metadata": {"a": "b"}, "tools": [], "unknown": {},
    "response_format": {"type": "text"}, "logprobs": false,
    "hybridflow": {"budget": {"usd": 0.0123, "cloud_tokens": 900}, "deadline_ms": 1500,
                   "plan": "always", "privacy": "local"}})");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->chat.model, "hybrid/auto");
  EXPECT_TRUE(read->chat.stream);
  EXPECT_TRUE(read->chat.include_usage);
  EXPECT_EQ(read->chat.messages,
            (std::vector<ChatMessage>{
                {"system", "Be brief."}, {"assistant", ""}, {"user", "How many?"}}));
  EXPECT_EQ(read->chat.max_tokens, Tokens(40));
  EXPECT_EQ(read->chat.temperature, 0.5);
  EXPECT_EQ(read->chat.top_p, 0.9);
  EXPECT_EQ(read->chat.stop, std::vector<std::string>{"#"});
  EXPECT_EQ(read->extension.budget.usd, PicoUsd(12'300'000'000));
  EXPECT_EQ(read->extension.budget.cloud_tokens, Tokens(900));
  EXPECT_EQ(read->extension.budget.deadline, Duration(std::chrono::milliseconds(1500)));
  EXPECT_EQ(read->extension.plan, PlanMode::kAlways);
  EXPECT_TRUE(read->extension.must_stay_local);
}

TEST(HybridRequest, NeedsNothingButModelAndQuestion) {
  const auto read = read_request(request(R"(,"hybridflow":null,"stop":null,"n":null)"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->extension.budget, Budget{});
  EXPECT_FALSE(read->extension.plan.has_value());
  EXPECT_FALSE(read->extension.must_stay_local);
  EXPECT_FALSE(read->chat.max_tokens.has_value());
}

TEST(HybridRequest, ThatIsNoJsonObjectIsAFault) {
  for (const char* body : {"", "[]", "null", "{", R"({"model":"x"}})", "{\"a\":\"\xff\"}"})
    expect_fault({.body = body, .param = "", .code = "invalid_json"});
  expect_fault({.body = std::string(100'000, '['), .param = "", .code = "invalid_json"});
}

TEST(HybridRequest, OfAWrongTypeOrRangeNamesTheField) {
  const std::vector<Case> cases = {
      {.body = "{" + kMessages + "}", .param = "model"},
      {.body = R"({"model":7,)" + kMessages + "}", .param = "model"},
      {.body = R"({"model":"x"})", .param = "messages"},
      {.body = R"({"model":"x","messages":{}})", .param = "messages"},
      {.body = R"({"model":"x","messages":[]})", .param = "messages"},
      {.body = R"({"model":"x","messages":[7]})", .param = "messages[0]"},
      {.body = R"({"model":"x","messages":[{"role":"user"}]})", .param = "messages[0].content"},
      {.body = R"({"model":"x","messages":[{"role":"king","content":"a"}]})",
       .param = "messages[0].role"},
      {.body = R"({"model":"x","messages":[{"role":"user","content":7}]})",
       .param = "messages[0].content"},
      {.body = R"({"model":"x","messages":[{"role":"user","content":" \n"}]})",
       .param = "messages[0].content"},
      {.body = R"({"model":"x","messages":[{"role":"assistant","content":"a"}]})",
       .param = "messages[0].role"},
      {.body = request(R"(,"stream":"yes")"), .param = "stream"},
      {.body = request(R"(,"stream_options":true)"), .param = "stream_options"},
      {.body = request(R"(,"stream_options":{"include_usage":1})"), .param = "include_usage"},
      {.body = request(R"(,"max_tokens":0)"), .param = "max_tokens"},
      {.body = request(R"(,"max_tokens":-1e300)"), .param = "max_tokens"},
      {.body = request(R"(,"max_completion_tokens":1.5)"), .param = "max_completion_tokens"},
      {.body = request(R"(,"temperature":2.1)"), .param = "temperature"},
      {.body = request(R"(,"top_p":"1")"), .param = "top_p"},
      {.body = request(R"(,"seed":1.5)"), .param = "seed"},
      {.body = request(R"(,"stop":[7])"), .param = "stop"},
      {.body = request(R"(,"n":0)"), .param = "n"},
      {.body = request(R"(,"n":"1")"), .param = "n"},
      {.body = request(R"(,"user":7)"), .param = "user"},
      {.body = request(R"(,"metadata":[])"), .param = "metadata"},
      {.body = request(R"(,"tools":{})"), .param = "tools"},
      {.body = extension(R"("session":"a b")"), .param = "hybridflow.session"},
      {.body = extension(R"("policy":"")"), .param = "hybridflow.policy"},
      {.body = extension(R"("progress":1)"), .param = "hybridflow.progress"},
      {.body = request(R"(,"hybridflow":[])"), .param = "hybridflow"},
      {.body = extension(R"("budget":5)"), .param = "hybridflow.budget"},
      {.body = extension(R"("budget":{"usd":-1})"), .param = "hybridflow.budget.usd"},
      {.body = extension(R"("budget":{"usd":"1"})"), .param = "hybridflow.budget.usd"},
      {.body = extension(R"("budget":{"usd":1e300})"), .param = "hybridflow.budget.usd"},
      {.body = extension(R"("budget":{"cloud_tokens":1.5})"),
       .param = "hybridflow.budget.cloud_tokens"},
      {.body = extension(R"("deadline_ms":0)"), .param = "hybridflow.deadline_ms"},
      {.body = extension(R"("deadline_ms":1e30)"), .param = "hybridflow.deadline_ms"},
      {.body = extension(R"("plan":"given")"), .param = "hybridflow.plan"},
      {.body = extension(R"("plan":1)"), .param = "hybridflow.plan"},
      {.body = extension(R"("privacy":"none")"), .param = "hybridflow.privacy"},
      {.body = extension(R"("budgets":{})"),
       .param = "hybridflow.budgets",
       .code = "unknown_parameter"},
      {.body = extension(R"("budget":{"eur":1})"),
       .param = "hybridflow.budget.eur",
       .code = "unknown_parameter"},
  };
  for (const Case& each : cases) expect_fault(each);
}

TEST(HybridRequest, ForSeveralAnswersSaysThatThereIsOne) {
  expect_fault({.body = request(R"(,"n":2)"), .param = "n", .code = "unsupported_parameter"});
}

TEST(HybridRequest, ThatNoPlanCanServeIsPassedOn) {
  const auto message = [](std::string_view more) {
    return R"({"model":"x","messages":[{"role":"user","content":"a")" + std::string(more) + "]}";
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {request(R"(,"tools":[{"type":"function"}])"), "tools"},
      {request(R"(,"functions":[{}])"), "functions"},
      {request(R"(,"response_format":{"type":"json_object"})"), "response_format"},
      {request(R"(,"logprobs":true)"), "logprobs"},
      {request(R"(,"grammar":"root ::= x")"), "grammar"},
      {message(R"(},{"role":"tool","content":"b"})"), "messages of tools"},
      {message(R"(},{"role":"assistant","content":"","tool_calls":[{}]})"), "calls of tools"},
      {R"({"model":"x","messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
       "parts that are no text"},
  };
  for (const auto& [body, what] : cases) {
    const auto read = read_request(body);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->passed_on_for, what) << body;
  }
  EXPECT_EQ(
      read_request(request(R"(,"response_format":{"type":"text"},"tools":[])"))->passed_on_for, "");
}

TEST(HybridRequest, ForAnEndpointIsReadOnlyWhereThisProgramGoesByIt) {
  const auto read = read_request(
      R"({"model":"endpoint","messages":[{"role":"king","content":"a"},)"
      R"({"role":"user","content":[{"type":"text","text":"How "},{"type":"image_url"},)"
      R"({"type":"text","text":"many?"}]}],"temperature":99,"stop":7,"stream":true,)"
      R"("stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":9,)"
      R"("hybridflow":{"session":"s1","policy":"spar","progress":true}})");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->passed_on_for, "parts that are no text");
  EXPECT_EQ(read->question, "How many?");
  EXPECT_EQ(read->images, 1U);
  EXPECT_TRUE(read->chat.stream);
  EXPECT_TRUE(read->chat.include_usage);
  EXPECT_EQ(read->chat.max_tokens, Tokens(9));
  EXPECT_EQ(read->extension.session, "s1");
  EXPECT_EQ(read->extension.policy, "spar");
  EXPECT_TRUE(read->extension.progress);
}

TEST(HybridRequest, WhoseFieldsAreAmbiguousIsAFault) {
  for (const char* more :
       {R"(,"model":"other")", R"(,"max_tokens":1,"max_tokens":2)", R"(,"str\u0065am":true)",
        R"(,"hybridflow":{"plan":"auto","plan":"never"})",
        R"(,"hybridflow":{"budget":{"usd":1,"usd":2}})"}) {
    expect_fault({.body = request(more), .param = "", .code = "invalid_json"});
  }
}

TEST(HybridRequest, HeadersSayWhatTheBodyDoesNot) {
  const auto read_with = [](std::string_view more, const HeaderLines& headers) {
    return read_hybrid_request(request(more), [](std::string_view) { return false; }, headers);
  };
  const HeaderLines headers = {
      {"x-hybridflow-budget-usd", "0.5"},   {"x-hybridflow-budget-cloud-tokens", "900"},
      {"x-hybridflow-deadline-ms", "1500"}, {"x-hybridflow-plan", "never"},
      {"x-hybridflow-privacy", "local"},    {"x-hybridflow-session", "7"},
      {"x-hybridflow-progress", "true"},    {"x-other", "1"}};
  const auto read = read_with("", headers);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->extension.budget.usd, PicoUsd(kPicoPerUsd / 2));
  EXPECT_EQ(read->extension.budget.cloud_tokens, Tokens(900));
  EXPECT_EQ(read->extension.budget.deadline, Duration(std::chrono::milliseconds(1500)));
  EXPECT_EQ(read->extension.plan, PlanMode::kNever);
  EXPECT_TRUE(read->extension.must_stay_local);
  EXPECT_EQ(read->extension.session, "7");
  EXPECT_TRUE(read->extension.progress);
  const auto both = read_with(R"(,"hybridflow":{"budget":{"usd":0.1},"session":"s"})", headers);
  ASSERT_TRUE(both.has_value()) << both.error().message;
  EXPECT_EQ(both->extension.budget.usd, PicoUsd(kPicoPerUsd / 10));
  EXPECT_EQ(both->extension.budget.cloud_tokens, Tokens(900));
  EXPECT_EQ(both->extension.session, "s");
  EXPECT_EQ(read_with("", {{"x-hybridflow-budget-usd", "much"}}).error().param,
            "hybridflow.budget.usd");
  EXPECT_EQ(read_with("", {{"x-hybridflow-privat", "local"}}).error().code, "unknown_parameter");
}

// ---- what goes out ----

std::string passed_on(std::string_view body, bool asks_for_usage = false) {
  const RawObject::Halves halves = passed_on_body(body, asks_for_usage);
  return halves.before + "<>" + halves.after;
}

TEST(PassedOnBody, IsTheSameByteForByteButForTheModel) {
  EXPECT_EQ(passed_on("{ \"a\" : [1, {\"model\":2}],\n \"model\":\"x\" , \"z\":\"}\\\"\" }"),
            "{ \"a\" : [1, {\"model\":2}],\n \"model\":<> , \"z\":\"}\\\"\" }");
}

TEST(PassedOnBody, LacksTheExtensionWhereverItStands) {
  EXPECT_EQ(passed_on(R"({"hybridflow":{"plan":"never"}, "model":"x","a":1})"),
            R"({ "model":<>,"a":1})");
  EXPECT_EQ(passed_on(R"({"model":"x","hybridflow":null,"a":1})"), R"({"model":<>,"a":1})");
  EXPECT_EQ(passed_on(R"({"model":"x","a":1,"hybridflow":{}})"), R"({"model":<>,"a":1})");
}

TEST(PassedOnBody, AsksForUsageAndKeepsTheOtherOptions) {
  EXPECT_EQ(passed_on(R"({"model":"x"})", true),
            R"({"model":<>,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(passed_on(R"({"stream_options":{"include_usage":false,"o":1},"model":"x"})", true),
            R"({"stream_options":{"include_usage":true,"o":1},"model":<>})");
  EXPECT_EQ(passed_on(R"({"model":"x","stream_options":null})", true),
            R"({"model":<>,"stream_options":{"include_usage":true}})");
}

TEST(EmbeddingsRequest, NeedsModelAndInput) {
  EXPECT_TRUE(read_embeddings_request(R"({"model":"x","input":["a"]})").has_value());
  EXPECT_EQ(read_embeddings_request(R"({"input":"a"})").error().param, "model");
  EXPECT_EQ(read_embeddings_request(R"({"model":"x"})").error().param, "input");
}

void check_any(const std::string& body) {
  const auto read = read_request(body);
  if (!read) {
    RC_ASSERT(!read.error().message.empty());
    RC_ASSERT(!read.error().code.empty());
    return;
  }
  if (!read->passed_on_for.empty()) return;
  RC_ASSERT(!read->chat.messages.empty());
  RC_ASSERT(read->chat.messages.back().role == "user");
  RC_ASSERT(is_utf8(read->chat.messages.back().content));
  RC_ASSERT(read->extension.plan != PlanMode::kGiven);
  RC_ASSERT(read->extension.budget.usd.value_or(PicoUsd(0)) >= PicoUsd(0));
}

RC_GTEST_PROP(HybridRequest, OfAnyBytesIsReadOrRefused, (const std::string& bytes)) {
  check_any(bytes);
}

RC_GTEST_PROP(HybridRequest, DamagedAnywhereIsReadOrRefused, ()) {
  std::string body = request(
      R"(,"max_tokens":40,"stop":["#"],"hybridflow":{"budget":{"usd":0.5,"cloud_tokens":9},)"
      R"("deadline_ms":1500,"plan":"auto","privacy":"local"},"n":1,"seed":7,"temperature":0.5)");
  const auto damages = *rc::gen::inRange(1, 6);
  for (int i = 0; i < damages; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, body.size());
    const auto length = *rc::gen::inRange<std::size_t>(0, 5);
    const auto put = *rc::gen::element<std::string>("", "\"", "{", "}", "[", "]", ",", ":", "null",
                                                    "-1", "1e999", "\\u0000", "\\ud800", "\xff",
                                                    "true", "99999999999999999999");
    body.replace(at, length, put);
  }
  check_any(body);
}

}  // namespace
}  // namespace hf::wire
