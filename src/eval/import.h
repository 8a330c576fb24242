// Recorded third-party results as outcome rows: MMLU-Pro (outcomes of many models, their answers
// and the questions) and RouteLLM's MMLU and GSM8K. docs/outcomes.md names sources and columns.
//
// Correctness, answers and lengths in characters are recorded; tokens, money and seconds are
// derived from them by the plain model of ImportOptions. Thread safety: none needed, there is no
// state.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/csv.h"
#include "model/endpoint.h"
#include "model/outcome.h"

namespace hf::eval {

// Four characters make a token, rounded up. A call takes `first` and then prompt and completion at
// their speeds; a speed of 0 takes no time.
struct SpeedModel {
  double first_seconds = 0;
  double prompt_tokens_per_second = 0;
  double completion_tokens_per_second = 0;
};

struct ImportOptions {
  Price cloud_price{.prompt = PicoUsd(1'250'000),  // $1.25 and $5 per million tokens.
                    .cached = PicoUsd(1'250'000),
                    .completion = PicoUsd(5'000'000)};  // The edge is free.
  SpeedModel edge{.prompt_tokens_per_second = 1000, .completion_tokens_per_second = 40};
  SpeedModel cloud{.first_seconds = 0.5, .completion_tokens_per_second = 80};
};

// What one model made of one question, as far as it was recorded.
struct RecordedAnswer {
  std::string model;
  Tier tier = Tier::kEdge;
  double correct = 0;
  Tokens completion{};
  std::optional<std::string> output{};
};

// The arm with what `options` derive for a prompt of that many bytes.
ArmOutcome arm_of(RecordedAnswer answer, std::size_t prompt_bytes, const ImportOptions& options);

// The tokens of so many characters; at least 1.
Tokens tokens_of(std::int64_t characters);

struct MmluProFiles {
  std::filesystem::path outcomes;     // question_id, category, then NAME|ok and NAME|chars a model.
  std::filesystem::path predictions;  // question_id, then the letter or "-" of each model.
  std::filesystem::path questions;    // wire/question_lines.h
};

// Which of the recorded models play which part; the endpoint of an arm is the model's name.
struct MmluProArms {
  std::string edge = "Meta-Llama-3_1-8B-Instruct";
  std::vector<std::string> voters;  // Further arms of the edge.
  std::string cloud = "gemini-1.5-pro-002";
};

// A row a question, in the order of the outcomes file; the query is the question's id. Leaves out
// the arm of a model whose outcome is empty, and the row if no arm is left.
Result<std::vector<OutcomeRow>> import_mmlu_pro(const MmluProFiles& files, const MmluProArms& arms,
                                                const ImportOptions& options = {});

// The models of an MMLU-Pro outcomes file, in its order.
Result<std::vector<std::string>> mmlu_pro_models(const std::filesystem::path& outcomes);

// Mixtral-8x7B against GPT-4, a row a line of the file. A query is named after the source and a
// hash of the prompt without regard to case and blanks; a prompt that comes again is a further
// subtask of its query, so that no split separates the two.
Result<std::vector<OutcomeRow>> import_routellm_mmlu(const std::filesystem::path& file,
                                                     const ImportOptions& options = {});
Result<std::vector<OutcomeRow>> import_routellm_gsm8k(const std::filesystem::path& file,
                                                      const ImportOptions& options = {});

}  // namespace hf::eval
