// Small made-up outcomes for the tests of the evaluation, and a model that was trained on others
// like them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "eval/outcomes.h"
#include "eval/prepared.h"
#include "eval/training.h"
#include "learn/model.h"

namespace hf::eval {

// Questions of three categories; words of the text tell something of who gets them right. Two
// further edge models vote on two of three.
inline std::vector<OutcomeRow> made_up_rows(std::size_t count, std::uint64_t seed,
                                            const std::string& prefix) {
  Rng rng(seed);
  std::vector<OutcomeRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    OutcomeRow& row = rows.emplace_back();
    const std::uint64_t kind = rng.below(3);
    const bool is_hard = rng.unit() < 0.5;
    row.query = fmt::format("{}{}", prefix, i);
    row.category = fmt::format("kind {}", kind);
    row.text = fmt::format("{} question {} number {} about {}", is_hard ? "hard" : "easy", prefix,
                           i, row.category);
    const auto arm = [&](std::string name, Tier tier, double chance) {
      ArmOutcome out;
      out.endpoint = std::move(name);
      out.tier = tier;
      out.correct = rng.unit() < chance ? 1 : 0;
      out.output = out.correct > 0 ? "A" : fmt::format("{}", rng.below(3));
      out.prompt = Tokens(static_cast<std::int64_t>(20 + rng.below(30)));
      out.completion = Tokens(static_cast<std::int64_t>(10 + rng.below(200)));
      out.seconds = 0.1 + 0.01 * static_cast<double>(out.completion.count());
      if (tier == Tier::kCloud) {
        out.usd = PicoUsd(out.prompt.count() * 1'000 + out.completion.count() * 4'000);
      }
      return out;
    };
    row.arms.push_back(arm("small", Tier::kEdge, is_hard ? 0.2 : 0.8));
    if (kind != 2) row.arms.push_back(arm("second", Tier::kEdge, is_hard ? 0.3 : 0.7));
    if (kind != 2) row.arms.push_back(arm("third", Tier::kEdge, is_hard ? 0.3 : 0.6));
    row.arms.push_back(arm("large", Tier::kCloud, kind == 0 ? 0.5 : 0.95));
  }
  return rows;
}

inline Dataset made_up(std::size_t count, std::uint64_t seed, const std::string& prefix) {
  auto dataset = Dataset::from(made_up_rows(count, seed, prefix));
  EXPECT_TRUE(dataset.has_value());
  return *std::move(dataset);
}

// Has seen the texts of made_up(400, 7, "t").
inline std::shared_ptr<const learn::Model> made_up_model() {
  static const std::shared_ptr<const learn::Model> model = [] {
    const std::vector<std::filesystem::path> files = {"made-up.jsonl"};
    auto trained = train_on(made_up(400, 7, "t"), files, 1);
    EXPECT_TRUE(trained.has_value()) << (trained ? "" : trained.error().message);
    return std::make_shared<const learn::Model>(std::move(trained->model));
  }();
  return model;
}

inline Prepared made_up_prepared(std::size_t count = 150, std::uint64_t seed = 3) {
  auto data = prepare(made_up(count, seed, "q"), made_up_model());
  EXPECT_TRUE(data.has_value()) << (data ? "" : data.error().message);
  return *std::move(data);
}

}  // namespace hf::eval
