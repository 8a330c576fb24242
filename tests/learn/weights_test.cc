// Goal: models and states survive as bytes, and nothing else passes for one.
// Method: round trips; every byte changed and every length cut; damage with the checksum made to
// fit.
#include "learn/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "learn/bytes.h"
#include "sample.h"

namespace hf::learn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Model trained(Attempts attempts) {
  TrainOptions options;
  options.text_strengths = {0.3};
  options.replicates = 0;
  options.provenance = "made up";
  auto made = train(sample_examples(600, attempts), options);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return made->model;
}

// All members present, but short.
Model small_model() {
  Model model = trained(Attempts::kRecorded);
  model.edge_text.weights.clear();
  model.cloud_text.weights.clear();
  model.past.resize(3);
  model.arms = {{.endpoint = 1, .accuracy = 0.4}, {.endpoint = 7, .accuracy = 0.3}};
  model.fingerprints.resize(4);
  return model;
}

TEST(Weights, AModelComesBackAsItWas) {
  for (const Attempts attempts : {Attempts::kNone, Attempts::kRecorded}) {
    const Model model = trained(attempts);
    const std::string bytes = to_bytes(model);
    EXPECT_LT(bytes.size(), 300'000U);
    const auto back = model_from(bytes);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(*back, model);
    EXPECT_EQ(to_bytes(*back), bytes);
  }
}

TEST(Weights, TheChecksumIsCrc64) {
  EXPECT_EQ(crc64("123456789"), 0x995DC9BBDF1939FAU);
  EXPECT_EQ(crc64(""), 0U);
}

TEST(Weights, EveryChangedByteIsNoticed) {
  std::string bytes = to_bytes(small_model());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      const char was = bytes[i];
      bytes[i] = static_cast<char>(bytes[i] ^ change);
      const auto model = model_from(bytes);
      ASSERT_FALSE(model.has_value()) << i;
      ASSERT_EQ(model.error().code, Code::kInvalidInput);
      bytes[i] = was;
    }
  }
}

TEST(Weights, EveryOtherLengthIsNoticed) {
  const std::string bytes = to_bytes(small_model());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto model = model_from(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(model.has_value()) << length;
    ASSERT_EQ(model.error().code, Code::kInvalidInput);
  }
  EXPECT_FALSE(model_from(bytes + '\0').has_value());
}

// Whoever makes the checksum fit can make a wrong model, but not one that upsets the program.
TEST(Weights, DamageWithAFittingChecksumIsRefusedOrHarmless) {
  constexpr std::size_t kHead = 28;
  constexpr Seal kSeal{"HFLEARN\n", 1, "a weights file"};
  const std::string content = to_bytes(small_model()).substr(kHead);
  ASSERT_EQ(sealed(kSeal, content), to_bytes(small_model()));
  TextTerms reader;
  const auto terms = reader.read("some text", "arts");
  std::size_t refused = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ (i % 2 == 0 ? 0xFF : 0x40));
    const auto model = model_from(sealed(kSeal, damaged));
    if (!model) {
      ++refused;
      continue;
    }
    std::vector<float> inputs(model->prior_inputs);
    score_text(*model, terms, inputs);
    const double gain = predict_prior(*model, inputs).gain();
    ASSERT_TRUE(gain >= -1 && gain <= 1) << i;
    inputs.resize(inputs.size() + model->attempt_inputs);
    if (model->posterior) {
      ASSERT_LE(predict_posterior(*model, inputs).gain(), 1);
    }
    category_means(*model, 5);
  }
  EXPECT_GT(refused, 100U);
  for (std::size_t length = 0; length < content.size(); ++length) {
    ASSERT_FALSE(model_from(sealed(kSeal, content.substr(0, length))).has_value()) << length;
  }
}

TEST(Weights, SaysWhatIsWrong) {
  const auto message = [](std::string_view bytes) { return model_from(bytes).error().message; };
  const std::string bytes = to_bytes(small_model());
  EXPECT_THAT(message(""), StartsWith("This is not a weights file"));
  EXPECT_THAT(message("PNG"), StartsWith("This is not a weights file"));
  EXPECT_THAT(message(to_bytes(OnlineHead(2).state())), StartsWith("This is not a weights file"));
  EXPECT_THAT(message(bytes.substr(0, 100)), HasSubstr("cut off after 100 bytes"));
  std::string changed = bytes;
  changed[200] ^= 1;
  EXPECT_THAT(message(changed), HasSubstr("damaged (its checksum does not fit)"));
  changed = bytes;
  changed[8] = 2;
  EXPECT_EQ(message(changed),
            "This is a weights file of version 2, but this program reads version 1: make it anew, "
            "or use a newer program.");
  changed[8] = 0;
  EXPECT_EQ(message(changed),
            "This is a weights file of version 0, but this program reads version 1: make it anew.");
}

TEST(Weights, TheOnlineLearnerComesBackAsItWas) {
  OnlineHead head(3);
  Rng rng(1);
  for (std::uint32_t i = 0; i < 500; ++i) {
    head.learn(std::vector<double>{1, rng.unit(), rng.unit()}, i % 40, rng.unit() - 0.5);
  }
  const std::string bytes = to_bytes(head.state());
  const auto back = online_head_from(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->state(), head.state());

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    ASSERT_FALSE(online_head_from(changed).has_value()) << i;
  }
  for (const std::size_t length : {0UL, 8UL, 27UL, 28UL, bytes.size() - 1}) {
    ASSERT_FALSE(online_head_from(std::string_view(bytes).substr(0, length)).has_value());
  }
}

TEST(Weights, AStateThatDoesNotFitTogetherIsRefused) {
  constexpr Seal kSeal{"HFONLIN\n", 1, "a saved state of the online learner"};
  EXPECT_THAT(online_head_from(sealed(kSeal, "short")).error().message, HasSubstr("do not fit"));
  OnlineState state = OnlineHead(2).state();
  state.inputs = 99;
  EXPECT_THAT(online_head_from(to_bytes(state)).error().message, HasSubstr("cannot have had"));
}

}  // namespace
}  // namespace hf::learn
