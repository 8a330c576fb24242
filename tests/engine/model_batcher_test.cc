// Goal: with a real model, batching, prefix reuse, sampling and limits do what they promise.
// Method: the batcher stepped by hand on the small test model; skipped where that is missing.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/batcher.h"
#include "harness.h"

namespace hf::engine {
namespace {

const Model* loaded_model() {
  static const std::atomic<bool> stop{false};
  static const auto model = Model::load(test_model(), stop);
  return model ? model->get() : nullptr;
}

struct Answer {
  std::string text;
  std::vector<wire::TokenLogprob> logprobs;
  std::optional<wire::ChatPiece> end;
  std::optional<JobFailed> failure;
};

class ModelBatcher : public testing::Test {
 protected:
  void SetUp() override {
    HF_NEED_TEST_MODEL();
    ASSERT_NE(loaded_model(), nullptr);
    start({.slots = 4, .context = 2048, .seed = 1});
  }

  void start(Batcher::Options options) {
    batcher_ = Batcher::create(*loaded_model(), pool_, options, stop_, stats_).value();
  }

  std::uint64_t offer(wire::ChatRequest request) {
    const std::uint64_t number = ++last_;
    batcher_->offer(
        {.id = JobId(number), .ask = std::move(request), .tell = [this, number](Update update) {
           Answer& answer = answers_[number];
           if (const auto* piece = std::get_if<wire::ChatPiece>(&update)) {
             EXPECT_FALSE(answer.end.has_value()) << "a piece after the last";
             answer.text += piece->content;
             answer.logprobs.insert(answer.logprobs.end(), piece->logprobs.begin(),
                                    piece->logprobs.end());
             if (piece->finish_reason) answer.end = *piece;
           } else if (const auto* failure = std::get_if<JobFailed>(&update)) {
             answer.failure = *failure;
           }
         }});
    return number;
  }

  void run() {
    while (!batcher_->is_idle()) batcher_->step(1);
  }

  Answer ask(wire::ChatRequest request) {
    const auto number = offer(std::move(request));
    run();
    return answers_[number];
  }

  static wire::ChatRequest request(const std::string& text, std::int64_t max_tokens) {
    wire::ChatRequest result;
    result.messages = {{"user", text}};
    result.max_tokens = Tokens(max_tokens);
    result.temperature = 0;
    return result;
  }

  static std::string long_text(std::size_t words) {
    std::string text;
    for (std::size_t i = 0; i < words; ++i) text += "number " + std::to_string(i) + ", ";
    return text;
  }

  static std::int64_t prompt_size(const wire::ChatRequest& request) {
    return static_cast<std::int64_t>(loaded_model()->prompt(request.messages).value().size());
  }

  std::atomic<bool> stop_{false};
  Stats stats_;
  ThreadPool pool_{1};  // Tests share the machine with others.
  std::unique_ptr<Batcher> batcher_;
  std::map<std::uint64_t, Answer> answers_;
  std::uint64_t last_ = 0;
};

TEST_F(ModelBatcher, UsageIsExact) {
  const auto asked = request("Count from one to twenty in words.", 12);
  const Answer answer = ask(asked);
  ASSERT_TRUE(answer.end.has_value());
  EXPECT_EQ(answer.end->finish_reason, "length");
  EXPECT_EQ(answer.end->usage->prompt, Tokens(prompt_size(asked)));
  EXPECT_EQ(answer.end->usage->completion, Tokens(12));
  EXPECT_EQ(answer.end->usage->cached, Tokens(0));
  EXPECT_EQ(stats_.completion_tokens, 12U);
}

TEST_F(ModelBatcher, ShortAnswerStopsByItself) {
  const Answer answer = ask(request("What is the capital of France? Answer with one word.", 64));
  EXPECT_EQ(answer.end->finish_reason, "stop");
  EXPECT_NE(answer.text.find("Paris"), std::string::npos) << answer.text;
}

TEST_F(ModelBatcher, CommonPrefixOfFourSiblingsIsComputedOnce) {
  const std::string common = long_text(20);
  std::vector<std::uint64_t> numbers;
  for (const char* end : {"What came first?", "Add the last two.", "Name an even one.", "Why?"}) {
    numbers.push_back(offer(request(common + end, 4)));
  }
  run();
  std::int64_t cached = 0;
  std::int64_t prompts = 0;
  for (const auto number : numbers) {
    cached += answers_[number].end->usage->cached.count();
    prompts += answers_[number].end->usage->prompt.count();
  }
  const std::int64_t each = prompts / 4;
  EXPECT_GT(cached, 3 * (each - 25)) << "of " << each << " tokens each";
  EXPECT_EQ(answers_[numbers[0]].end->usage->cached, Tokens(0));
}

TEST_F(ModelBatcher, FinishedAnswerServesTheNextTurn) {
  wire::ChatRequest first = request("Tell me about rivers.", 16);
  const Answer answer = ask(first);
  wire::ChatRequest second = first;
  second.messages.push_back({"assistant", answer.text});
  second.messages.push_back({"user", "And lakes?"});
  const Answer next = ask(second);
  EXPECT_GE(next.end->usage->cached, Tokens(prompt_size(first)));
}

TEST_F(ModelBatcher, BatchedGreedyAnswersBeginLikeSingleOnes) {
  const std::vector<std::string> prompts{"Name a colour.", "What is two plus two?", "Say hello."};
  std::vector<std::string> single;
  for (const std::string& prompt : prompts) single.push_back(ask(request(prompt, 3)).text);
  std::vector<std::uint64_t> numbers;
  for (const std::string& prompt : prompts) numbers.push_back(offer(request(prompt, 3)));
  run();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(answers_[numbers[i]].text, single[i]);
  }
}

TEST_F(ModelBatcher, SameSeedSameAnswer) {
  wire::ChatRequest asked = request("Invent a name for a ship.", 12);
  asked.temperature = 1;
  asked.top_p = 0.95;
  asked.seed = 42;
  const std::string first = ask(asked).text;
  EXPECT_EQ(ask(asked).text, first);
  asked.seed = 43;
  EXPECT_NE(ask(asked).text, first);
}

TEST_F(ModelBatcher, CancelFreesTheSlotForTheNext) {
  start({.slots = 1, .context = 2048, .seed = 1});
  const auto first = offer(request("Tell a long story.", 500));
  const auto second = offer(request("Say hi.", 2));
  for (int i = 0; i < 3; ++i) batcher_->step(1);
  EXPECT_EQ(batcher_->queued(), 1U);
  batcher_->cancel(JobId(first));
  run();
  EXPECT_FALSE(answers_[first].end.has_value());
  EXPECT_TRUE(answers_[second].end.has_value());
  EXPECT_LT(stats_.completion_tokens, 10U);
}

TEST_F(ModelBatcher, CancelledWhileQueuedIsNeverStarted) {
  start({.slots = 1, .context = 2048, .seed = 1});
  offer(request("Say hi.", 2));
  const auto second = offer(request("Say ho.", 2));
  batcher_->cancel(JobId(second));
  run();
  EXPECT_FALSE(answers_.contains(second));
}

TEST_F(ModelBatcher, HigherPriorityGoesFirst) {
  start({.slots = 1, .context = 2048, .seed = 1});
  const auto low = offer(request("Say hi.", 2));
  wire::ChatRequest urgent = request("Say ho.", 2);
  urgent.priority = 5;
  const auto high = offer(urgent);
  while (!answers_[low].end) batcher_->step(1);
  EXPECT_TRUE(answers_[high].end.has_value());
}

TEST_F(ModelBatcher, RequestThatDoesNotFitBesideAnotherWaitsAndThenRuns) {
  start({.slots = 4, .context = 512, .seed = 1});
  const auto first = offer(request("Count.", 400));
  const auto second = offer(request("Count down.", 400));
  batcher_->step(1);
  EXPECT_EQ(batcher_->queued(), 1U);
  batcher_->cancel(JobId(first));
  batcher_->step(1);
  EXPECT_EQ(batcher_->queued(), 0U);
  batcher_->cancel(JobId(second));
  EXPECT_TRUE(batcher_->is_idle());
}

TEST_F(ModelBatcher, RetainedAnswersGiveWayWhenMemoryIsShort) {
  start({.slots = 2, .context = 256, .seed = 1});
  for (int i = 0; i < 8; ++i) {
    const Answer answer = ask(request("Turn " + std::to_string(i) + ": " + long_text(15), 2));
    ASSERT_TRUE(answer.end.has_value()) << i;
    EXPECT_LE(stats_.cells_used, 256U);
  }
}

TEST_F(ModelBatcher, GrammarIsObeyedGreedyAndSampled) {
  wire::ChatRequest asked = request("Is the sky blue?", 20);
  asked.grammar = "root ::= \"yes\" | \"no\"";
  const std::string greedy = ask(asked).text;
  EXPECT_TRUE(greedy == "yes" || greedy == "no") << greedy;
  asked.grammar = "root ::= [0-9] [0-9] [0-9] \"-\" [a-c]+ \"!\"";
  asked.temperature = 1.5;
  asked.seed = 3;
  const Answer sampled = ask(asked);
  ASSERT_GE(sampled.text.size(), 4U);
  EXPECT_EQ(sampled.text.find('-'), 3U);
  EXPECT_EQ(sampled.text.find_first_not_of("0123456789-abc!"), std::string::npos) << sampled.text;
}

TEST_F(ModelBatcher, WrongGrammarsAreRefusedInWords) {
  const std::string deep(500, '(');
  for (const std::string& grammar :
       {std::string("root ::= ((("), std::string("other ::= \"x\""),
        std::string("root ::= root \"x\""), std::string("root ::= missing"),
        "root ::= " + deep + "\"x\"", std::string(Sampler::kGrammarBytesMax + 1, ' ')}) {
    wire::ChatRequest asked = request("x", 4);
    asked.grammar = grammar;
    const Answer answer = ask(asked);
    ASSERT_TRUE(answer.failure.has_value()) << grammar.substr(0, 40);
    EXPECT_EQ(answer.failure->status, 400);
    EXPECT_EQ(answer.failure->code, "invalid_grammar");
  }
}

TEST_F(ModelBatcher, StopStringEndsTheAnswerAndIsNotShown) {
  wire::ChatRequest asked = request("What is the capital of France?", 32);
  const std::string whole = ask(asked).text;
  ASSERT_NE(whole.find(" of"), std::string::npos) << whole;
  asked.stop = {" of"};
  const Answer answer = ask(asked);
  EXPECT_EQ(answer.text, whole.substr(0, whole.find(" of")));
  EXPECT_EQ(answer.end->finish_reason, "stop");
}

TEST_F(ModelBatcher, LogprobsAreProbabilitiesAndMatchTheSignals) {
  wire::ChatRequest asked = request("Count to five.", 6);
  asked.logprobs = true;
  asked.top_logprobs = 3;
  const Answer answer = ask(asked);
  ASSERT_EQ(answer.logprobs.size(), 6U);
  double sum = 0;
  double margin = 0;
  for (const wire::TokenLogprob& token : answer.logprobs) {
    EXPECT_LE(token.logprob, 1e-6);
    ASSERT_EQ(token.top.size(), 3U);
    EXPECT_EQ(token.top[0].first, token.token);  // Greedy: the chosen one is the likeliest.
    EXPECT_GE(token.top[0].second, token.top[1].second);
    EXPECT_LE(std::exp(token.top[0].second) + std::exp(token.top[1].second), 1 + 1e-6);
    sum += token.logprob;
    margin += std::exp(token.top[0].second) - std::exp(token.top[1].second);
  }
  EXPECT_NEAR(answer.end->signals->mean_logprob.value(), sum / 6, 1e-9);
  EXPECT_NEAR(answer.end->signals->margin.value(), margin / 6, 1e-9);
}

TEST_F(ModelBatcher, PromptLongerThanTheContextIsRefusedWithTheNumbers) {
  start({.slots = 2, .context = 256, .seed = 1});
  const auto asked = request(long_text(200), 8);
  const Answer answer = ask(asked);
  ASSERT_TRUE(answer.failure.has_value());
  EXPECT_EQ(answer.failure->status, 400);
  EXPECT_EQ(answer.failure->code, "context_length_exceeded");
  EXPECT_NE(answer.failure->message.find(std::to_string(prompt_size(asked))), std::string::npos);
  EXPECT_NE(answer.failure->message.find("256"), std::string::npos);
}

TEST_F(ModelBatcher, AnswerIsCutWhereTheContextEnds) {
  start({.slots = 1, .context = 256, .seed = 1});
  wire::ChatRequest asked = request("Count: " + long_text(30), 4000);
  asked.grammar = "root ::= [a-z] [a-z ] root";  // Never ends by itself.
  const Answer answer = ask(asked);
  ASSERT_TRUE(answer.end.has_value());
  EXPECT_EQ(answer.end->finish_reason, "length");
  EXPECT_EQ(answer.end->usage->total(), Tokens(256));
}

TEST(ModelFile, MissingDamagedAndCutFilesAreErrorsInWords) {
  HF_NEED_TEST_MODEL();
  const TemporaryDirectory directory;
  const std::atomic<bool> stop{false};
  const auto missing = Model::load(directory.path() + "/none.gguf", stop);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kInvalidInput);

  const std::string damaged = directory.path() + "/damaged.gguf";
  std::ofstream(damaged) << "this is not a model";
  const auto refused = Model::load(damaged, stop);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("damaged"), std::string::npos);

  const std::string cut = directory.path() + "/cut.gguf";
  std::filesystem::copy_file(test_model(), cut);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 2);
  const auto short_one = Model::load(cut, stop);
  ASSERT_FALSE(short_one.has_value());
  EXPECT_EQ(short_one.error().code, Code::kInvalidInput);
}

}  // namespace
}  // namespace hf::engine
