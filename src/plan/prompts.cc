#include "plan/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "plan/words.h"

namespace hf {
namespace {

constexpr std::size_t kFaultBytesMax = 240;

constexpr std::string_view kPlanner =
    R"(Split the question into steps for other workers. Do not answer it. Write only the plan.
- Step 1, Role="explain", Rely="": what is given and what is wanted.
- Then Role="analyze": short complete questions with the names and numbers they need. Rely="1" lets them run at the same time; rely on another step only if its result is needed.
- Last, Role="generate": the answer. It relies on every step whose result it uses.
Token: expected length of the result. Difficulty: 1 to 9.)";

constexpr std::string_view kPlanExample1 =
    "A bakery sells 40 rolls at 2 dollars and 12 cakes at 15 dollars a day. Flour costs it 90 "
    "dollars a day. What is left after 5 days?";
constexpr std::string_view kPlan1 = R"(<Plan>
<Step ID="1" Role="explain" Task="What does the bakery earn and pay, and what is wanted?" Rely="" Token="40" Difficulty="1"/>
<Step ID="2" Role="analyze" Task="How much do 40 rolls at 2 dollars bring in a day?" Rely="1" Token="30" Difficulty="2"/>
<Step ID="3" Role="analyze" Task="How much do 12 cakes at 15 dollars bring in a day?" Rely="1" Token="30" Difficulty="2"/>
<Step ID="4" Role="analyze" Task="How much do 5 days of flour at 90 dollars cost?" Rely="1" Token="30" Difficulty="2"/>
<Step ID="5" Role="generate" Task="What is left after 5 days?" Rely="2,3,4" Token="60" Difficulty="4"/>
</Plan>)";

constexpr std::string_view kPlanExample2 = "Which is better to heat an old house, wood or gas?";
constexpr std::string_view kPlan2 = R"(<Plan>
<Step ID="1" Role="explain" Task="What matters when an old house is heated?" Rely="" Token="40" Difficulty="2"/>
<Step ID="2" Role="analyze" Task="What does heating with wood cost and demand?" Rely="1" Token="60" Difficulty="4"/>
<Step ID="3" Role="analyze" Task="What does heating with gas cost and demand?" Rely="1" Token="60" Difficulty="4"/>
<Step ID="4" Role="analyze" Task="What do wood and gas do to the air in the rooms?" Rely="1" Token="60" Difficulty="3"/>
<Step ID="5" Role="generate" Task="Is wood or gas better for the old house?" Rely="2,3,4" Token="80" Difficulty="5"/>
</Plan>)";

// The same for every step of a query, the last one included, so that all share the longest prefix.
constexpr std::string_view kWorker =
    "You do one task that helps to answer a question. Trust the results so far if there are "
    "any.\n"
    "Do only the task. Use one to three short sentences of plain words and numbers. Write "
    "calculations out on one line. No code, no LaTeX, no headings, no lists.\n"
    "For example, the task \"How much do 7 tickets at 6 dollars cost?\" is answered: 7 * 6 = "
    "42, so they cost 42 dollars.";

constexpr std::string_view kSinkForm =
    R"(This is the last step: now answer the question at the top itself. Use the results so far where they are right and work out what is still missing, each calculation in one short sentence. Then end with one line that starts with "Answer:" and gives only the final answer: a number, a name, a letter if there are options, or one sentence.)";

constexpr std::string_view kWhole =
    "Answer the question. First reason in a few short sentences of plain words and numbers. "
    "No code, no LaTeX, no headings. Then end with one line that starts with \"Answer:\" and "
    "gives just the final answer: a number, a name, a letter if there are options, or one "
    "sentence.\n"
    "For example, the question \"Mia has 4 bags of 9 apples and eats 6. How many are left?\" "
    "is answered:\n"
    "4 * 9 = 36 apples. 36 - 6 = 30 are left.\n"
    "Answer: 30";

// For small talk and facts: an example would only be repeated by a small model.
constexpr std::string_view kWholeShort = "Answer in a few short sentences of plain words.";
constexpr std::size_t kShortBytes = 80;

ChatMessage system(std::string_view text) {
  return {"system", std::string(text)};
}
ChatMessage user(std::string text) {
  return {"user", std::move(text)};
}
ChatMessage assistant(std::string_view text) {
  return {"assistant", std::string(text)};
}

std::string question_and_results(std::string_view question, std::span<const PromptInput> inputs) {
  std::string text = fmt::format("Question: {}\n\n", question);
  if (!inputs.empty()) text += "Results so far:\n";
  for (const PromptInput& input : inputs) {
    text += fmt::format("{}. {}\n= {}\n", input.label, input.task, input.output);
  }
  if (!inputs.empty()) text += '\n';
  return text;
}

}  // namespace

std::vector<ChatMessage> plan_prompt(std::string_view question, std::string_view fault) {
  std::string request(question);
  if (!fault.empty()) {
    fault = fault.substr(0, kFaultBytesMax);
    fault = fault.substr(0, complete_utf8_prefix(fault));
    request +=
        fmt::format("\n\n(The plan written before could not be used: {}. Write it again.)", fault);
  }
  return {system(kPlanner),  user(std::string(kPlanExample1)),
          assistant(kPlan1), user(std::string(kPlanExample2)),
          assistant(kPlan2), user(std::move(request))};
}

std::vector<ChatMessage> subtask_prompt(std::string_view question,
                                        std::span<const PromptInput> inputs,
                                        std::string_view task) {
  return {system(kWorker),
          user(question_and_results(question, inputs) + fmt::format("Task: {}", task))};
}

std::vector<ChatMessage> sink_prompt(std::string_view question, std::span<const PromptInput> inputs,
                                     std::string_view task) {
  return {system(kWorker), user(question_and_results(question, inputs) +
                                fmt::format("Task: {}\n{}", task, kSinkForm))};
}

std::vector<ChatMessage> whole_prompt(std::string_view question) {
  const bool is_plain = question.size() < kShortBytes && std::ranges::none_of(question, is_digit);
  return {system(is_plain ? kWholeShort : kWhole), user(std::string(question))};
}

}  // namespace hf
