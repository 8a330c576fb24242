// Goal: the configuration says what it means, and everything that is not meant is refused with the
// line it is on.
// Method: small TOML texts, an injected environment, exact error sentences where users see them.
#include "config/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hf {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Environment kEmpty = [](const std::string&) { return std::nullopt; };

Environment environment(std::vector<std::pair<std::string, std::string>> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    for (const auto& [key, value] : variables) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
}

constexpr std::string_view kEdge = R"(
[[endpoint]]
name = "edge"
tier = "edge"
engine = { model = "tiny" }
)";

constexpr std::string_view kCloud = R"(
[[endpoint]]
name = "cloud"
tier = "cloud"
url = "https://api.example.com/v1/"
api_key_env = "CLOUD_KEY"
model = "big"
price = { prompt = 2.00, cached = 0.50, completion = 8.00 }
max_in_flight = 32
)";

std::string error_of(const std::string& toml) {
  const auto config = read_config(toml, "test.toml", environment({{"CLOUD_KEY", "secret"}}));
  return config ? "no error" : config.error().message;
}

TEST(Config, ReadsEndpointsPricesBudgetAndRoute) {
  const auto config = read_config(std::string(kEdge) + std::string(kCloud) + R"(
[planner]
endpoint = "cloud"
max_steps = 5
[budget]
usd = 0.01
cloud_tokens = 4096
deadline = "20s"
[route]
policy = "fixed"
threshold = 0.25
)",
                                  "test.toml", environment({{"CLOUD_KEY", "secret"}}));
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->endpoints.size(), 2U);
  const EndpointConfig& cloud = config->endpoints[1];
  EXPECT_EQ(cloud.endpoint.tier, Tier::kCloud);
  EXPECT_EQ(cloud.endpoint.price.prompt, PicoUsd(2'000'000));
  EXPECT_EQ(cloud.endpoint.price.cached, PicoUsd(500'000));
  EXPECT_EQ(cloud.endpoint.price.completion, PicoUsd(8'000'000));
  EXPECT_EQ(cloud.endpoint.max_in_flight, 32U);
  EXPECT_EQ(cloud.url, "https://api.example.com/v1");
  EXPECT_EQ(cloud.api_key, "secret");
  EXPECT_FALSE(cloud.accepts_grammar);
  EXPECT_TRUE(config->endpoints[0].accepts_grammar);
  EXPECT_EQ(config->planner, EndpointId{1});
  EXPECT_EQ(config->plan_steps_max, 5U);
  EXPECT_EQ(config->query_budget.usd, PicoUsd(10'000'000'000));
  EXPECT_EQ(config->query_budget.cloud_tokens, Tokens(4096));
  EXPECT_EQ(config->query_budget.deadline, std::chrono::seconds(20));
  EXPECT_EQ(config->policy, "fixed");
  EXPECT_EQ(config->policy_options.threshold, 0.25);
}

TEST(Config, ThePlannerIsTheEdgeUnlessNamed) {
  const auto config = read_config(std::string(kCloud) + std::string(kEdge), "test.toml",
                                  environment({{"CLOUD_KEY", "secret"}}));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->planner, EndpointId{1});
}

TEST(Config, EveryMistakeNamesItsLine) {
  const std::string edge(kEdge);
  EXPECT_THAT(error_of(edge + "[budget]\nusd = \"much\"\n"),
              StartsWith("test.toml:7:7: 'budget.usd' must be a number"));
  EXPECT_THAT(error_of(edge + "[budget]\nused = 1\n"), HasSubstr("unknown key 'budget.used'"));
  EXPECT_THAT(error_of(edge + "[budget]\nusd = -1\n"),
              HasSubstr("'budget.usd' must be a number from 0"));
  EXPECT_THAT(error_of(edge + "[budget]\nusd = nan\n"),
              HasSubstr("'budget.usd' must be a number from 0"));
  EXPECT_THAT(error_of(edge + "[budget]\ndeadline = 20\n"), HasSubstr("duration"));
  EXPECT_THAT(error_of(edge + "[budget]\ndeadline = \"0s\"\n"), HasSubstr("longer than zero"));
  EXPECT_THAT(error_of(edge + "[route]\npolicy = \"best\"\n"),
              HasSubstr("unknown policy 'best'; known: edge"));
  EXPECT_THAT(error_of(edge + "[planner]\nendpoint = \"nobody\"\n"),
              HasSubstr("no endpoint named 'nobody'"));
  EXPECT_THAT(error_of("[[endpoint]\n"), StartsWith("test.toml:1:"));
  EXPECT_THAT(error_of(""), HasSubstr("at least one [[endpoint]]"));
  EXPECT_THAT(error_of("endpoint = []\n"), HasSubstr("[[endpoint]]"));
  EXPECT_THAT(error_of("endpoint = [1]\n"), HasSubstr("must be a table"));
}

TEST(Config, ContradictionsInAnEndpointAreRefused) {
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\n"),
              HasSubstr("either 'engine'"));
  EXPECT_THAT(error_of(std::string(kEdge) + "url = \"http://x\"\n"), HasSubstr("not both"));
  EXPECT_THAT(error_of(std::string(kEdge) + std::string(kEdge)),
              HasSubstr("two endpoints are named 'edge'"));
  EXPECT_THAT(
      error_of("[[endpoint]]\nname = \"a\"\ntier = \"cloud\"\nurl = \"http://x\"\nmodel = \"m\"\n"),
      HasSubstr("needs a 'price'"));
  EXPECT_THAT(
      error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\nurl = \"ftp://x\"\nmodel = \"m\"\n"),
      HasSubstr("http://"));
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"fog\"\n"),
              HasSubstr("\"edge\" or \"cloud\""));
  EXPECT_THAT(
      error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\nurl = \"http://x\"\nmodel = \"m\"\n"
               "lab = { round_trip = \"1ms\" }\n"),
      HasSubstr("has no 'engine'"));
  EXPECT_THAT(
      error_of("[[endpoint]]\nname = \"a\"\ntier = \"cloud\"\nurl = \"http://x\"\nmodel = \"m\"\n"
               "price = { prompt = 1, cached = 2, completion = 1 }\n"),
      HasSubstr("'cached' must not cost more"));
}

std::string endpoint(std::string_view url, std::string_view name = "a") {
  return fmt::format("[[endpoint]]\nname = \"{}\"\ntier = \"edge\"\nurl = \"{}\"\nmodel = \"m\"\n",
                     name, url);
}

TEST(Config, AnAddressIsTheBaseOfAServiceAndNothingElse) {
  for (const char* good : {"http://x", "https://a-b.example.com/v1", "http://127.0.0.1:8080/v1/",
                           "http://[::1]:1/v1", "http://host_1:65535"}) {
    EXPECT_EQ(error_of(endpoint(good)), "no error") << good;
  }
  const std::pair<const char*, const char*> kWrong[] = {
      {"http://", "with a host"},
      {"http:///v1", "with a host"},
      {"http://:80/v1", "with a host"},
      {"http://a b/v1", "without spaces"},
      {"http://x/v 1", "without spaces"},
      {"http://b\u00FCro/v1", "in ASCII"},
      {"http://[::1/v1", "']'"},
      {"http://[]/v1", "IPv6"},
      {"http://[::1]80/v1", "port"},
      {"http://x:99999/v1", "a port from 1 to 65535"},
      {"http://x:0/v1", "port"},
      {"http://x:/v1", "port"},
      {"http://x/v1?key=1", "query"},
      {"http://x/v1#top", "fragment"},
      {"http://me:secret@x/v1", "user name"},
      {"http://a*b/v1", "letters"},
      {"http://x/v1/chat/completions", "base address"},
      {"http://x/v1/chat/completions/", "base address"},
  };
  for (const auto& [url, what] : kWrong) {
    const std::string error = error_of(endpoint(url));
    EXPECT_THAT(error, HasSubstr(what)) << url;
    EXPECT_THAT(error, StartsWith("test.toml:4:7: 'endpoint.url' must be ")) << url;
  }
}

TEST(Config, ANameCanStandInFileNamesAndMessages) {
  EXPECT_EQ(error_of(endpoint("http://x", std::string(64, 'a'))), "no error");
  for (const std::string& name : {std::string(65, 'a'), std::string("a/b"), std::string("a b"),
                                  std::string("\u00FC"), std::string("\\n")}) {
    EXPECT_THAT(error_of(endpoint("http://x", name)),
                StartsWith("test.toml:2:8: 'endpoint.name' must be 1 to 64"))
        << name;
  }
  EXPECT_THAT(error_of(endpoint("http://x") + endpoint("http://y")),
              StartsWith("test.toml:7:8: two endpoints are named 'a'"));
}

TEST(Config, AKeyThatCannotBeSentIsNamedByItsVariableOnly) {
  for (const char* key : {"sk-1\n", "sk-1\r\nX-Evil: 1", "sk-\x01", "sk-\xC3\xBC"}) {
    const auto config = read_config(kCloud, "test.toml", environment({{"CLOUD_KEY", key}}));
    ASSERT_FALSE(config) << key;
    EXPECT_THAT(config.error().message, HasSubstr("CLOUD_KEY"));
    EXPECT_THAT(config.error().message, Not(HasSubstr("sk-")));
    EXPECT_FALSE(default_config(environment({{"OPENAI_API_KEY", key}})));
  }
  EXPECT_FALSE(
      default_config(environment({{"OPENAI_API_KEY", "k"}, {"OPENAI_BASE_URL", "http://"}})));
}

TEST(Config, ThePlannersEngineMustHoldThePromptAndThePlan) {
  const auto with = [](std::string_view context, std::string_view planner) {
    return fmt::format(
        "[[endpoint]]\nname = \"a\"\ntier = \"edge\"\n"
        "engine = {{ model = \"m\", context = {} }}\n[planner]\nendpoint = \"{}\"\n",
        context, planner);
  };
  const std::string error = error_of(with("256", "a"));
  EXPECT_THAT(error, HasSubstr("'context' of 256 tokens"));
  const std::string least =
      error.substr(error.find("need ") + 5, error.find(" at least") - error.find("need ") - 5);
  EXPECT_EQ(error_of(with(least, "a")), "no error");
  EXPECT_EQ(error_of(with("256", "b") + endpoint("http://x", "b")), "no error");
}

TEST(Config, AFolderIsNotAFile) {
  const auto config = load_config("/", kEmpty);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidInput);
  EXPECT_THAT(config.error().message, HasSubstr("is a folder"));
}

TEST(Config, KeysComeFromTheEnvironmentAndNeverFromTheFile) {
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\napi_key = \"sk-1\"\n"),
              HasSubstr("must not be in the file"));
  const auto config = read_config(kCloud, "test.toml", kEmpty);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("environment variable CLOUD_KEY is not set"));
}

TEST(Config, AFileWithoutEndIsRefused) {
  const auto config = load_config("/dev/zero", kEmpty);
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().message, HasSubstr("longer than"));
}

TEST(Config, AMissingFileIsASentence) {
  const auto config = load_config("/nonexistent/hybridflow.toml", kEmpty);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidInput);
  EXPECT_THAT(config.error().message, HasSubstr("cannot be read"));
}

TEST(DefaultConfig, IsTheEdgeAloneWithoutAKey) {
  const auto config = default_config(kEmpty);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->endpoints.size(), 1U);
  EXPECT_EQ(config->endpoints[0].endpoint.tier, Tier::kEdge);
  EXPECT_EQ(config->policy, "edge");
}

TEST(DefaultConfig, AnOpenAiKeyAddsACloudWithAPriceAndALimit) {
  const auto config = default_config(environment({{"OPENAI_API_KEY", "sk-1"},
                                                  {"OPENAI_MODEL", "gpt-4.1"},
                                                  {"OPENAI_BASE_URL", "http://127.0.0.1:1/v1/"}}));
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->endpoints.size(), 2U);
  EXPECT_EQ(config->endpoints[1].endpoint.price.completion, PicoUsd(8'000'000));
  EXPECT_EQ(config->endpoints[1].url, "http://127.0.0.1:1/v1");
  EXPECT_TRUE(config->query_budget.usd);
}

TEST(DefaultConfig, AModelWithoutAKnownPriceIsRefusedRatherThanFree) {
  const auto config =
      default_config(environment({{"OPENAI_API_KEY", "sk-1"}, {"OPENAI_MODEL", "gpt-9"}}));
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("price of OPENAI_MODEL 'gpt-9' is not known"));
  EXPECT_THAT(config.error().message, Not(HasSubstr("sk-1")));
}

TEST(LabConfig, HasAnEdgeAndALabelledCloud) {
  const auto config = lab_config(kEmpty);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->endpoints.size(), 2U);
  EXPECT_FALSE(config->endpoints[0].endpoint.lab);
  EXPECT_TRUE(config->endpoints[1].endpoint.lab);
  EXPECT_EQ(config->endpoints[1].endpoint.tier, Tier::kCloud);
}

TEST(Duration, ReadsUnitsAndFractions) {
  EXPECT_EQ(parse_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_duration("20s"), std::chrono::seconds(20));
  EXPECT_EQ(parse_duration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(parse_duration("1h"), std::chrono::hours(1));
  for (const char* wrong :
       {"", "20", "s", "-1s", "1e3s", "1,5s", "9999999999h", "99999999999999999999s", "1 s"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Usd, IsExactToAPicodollar) {
  EXPECT_EQ(parse_usd("0.01"), PicoUsd(10'000'000'000));
  EXPECT_EQ(parse_usd("0"), PicoUsd(0));
  EXPECT_EQ(parse_usd("0.000000000001"), PicoUsd(1));
  EXPECT_EQ(parse_usd("12"), PicoUsd(12 * kPicoPerUsd));
  for (const char* wrong : {"", ".", "-1", "1e-3", "0.0000000000001", "nan", "$1", "99999999999"}) {
    EXPECT_FALSE(parse_usd(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace hf
