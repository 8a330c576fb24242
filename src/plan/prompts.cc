#include "plan/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace hf {
namespace {

constexpr std::size_t kFaultBytesMax = 240;

constexpr std::string_view kPlanner =
    "You split a question into a small plan of steps that other workers carry out. You never "
    "answer the question yourself.\n"
    "Write only the plan, one <Step .../> per line between <Plan> and </Plan>.\n"
    "- Step 1 has Role=\"explain\" and Rely=\"\": it sorts out what is given and what is "
    "wanted.\n"
    "- The steps in the middle have Role=\"analyze\". Each is one short, complete question "
    "with all names and numbers it needs. Give them Rely=\"1\" wherever possible, so that "
    "they can be done at the same time; rely on another step only if its result is needed.\n"
    "- The last step has Role=\"generate\": it answers the question and relies on every step "
    "whose result it uses.\n"
    "- Use 4 to 6 steps. Token is the expected length of the result, Difficulty goes from 1 "
    "(easy) to 9 (hard).";

constexpr std::string_view kPlanExample1 =
    "A bakery sells 40 rolls at 2 dollars and 12 cakes at 15 dollars a day. Flour costs it 90 "
    "dollars "
    "and the rent 75 dollars a day. What is left after 5 days?";
constexpr std::string_view kPlan1 =
    "<Plan>\n"
    "<Step ID=\"1\" Role=\"explain\" Task=\"Which sales and which costs does the bakery "
    "have, and what is wanted?\" Rely=\"\" Token=\"40\" Difficulty=\"1\"/>\n"
    "<Step ID=\"2\" Role=\"analyze\" Task=\"How much do 40 rolls at 2 dollars bring in a "
    "day?\" Rely=\"1\" Token=\"25\" Difficulty=\"2\"/>\n"
    "<Step ID=\"3\" Role=\"analyze\" Task=\"How much do 12 cakes at 15 dollars bring in a "
    "day?\" Rely=\"1\" Token=\"25\" Difficulty=\"2\"/>\n"
    "<Step ID=\"4\" Role=\"analyze\" Task=\"What are the daily costs of 90 dollars for flour "
    "and 75 dollars for rent together?\" Rely=\"1\" Token=\"25\" Difficulty=\"2\"/>\n"
    "<Step ID=\"5\" Role=\"generate\" Task=\"What is left to the bakery after 5 days?\" "
    "Rely=\"2,3,4\" Token=\"50\" Difficulty=\"4\"/>\n"
    "</Plan>";

constexpr std::string_view kPlanExample2 =
    "Should a village by the sea protect its beach with a stone wall or with planted dunes?";
constexpr std::string_view kPlan2 =
    "<Plan>\n"
    "<Step ID=\"1\" Role=\"explain\" Task=\"What does protecting a beach from the sea "
    "demand?\" Rely=\"\" Token=\"40\" Difficulty=\"2\"/>\n"
    "<Step ID=\"2\" Role=\"analyze\" Task=\"How well does a stone wall hold back storm waves "
    "over the years?\" Rely=\"1\" Token=\"60\" Difficulty=\"5\"/>\n"
    "<Step ID=\"3\" Role=\"analyze\" Task=\"How well do planted dunes hold back storm waves "
    "over the years?\" Rely=\"1\" Token=\"60\" Difficulty=\"5\"/>\n"
    "<Step ID=\"4\" Role=\"analyze\" Task=\"What do building and upkeep of walls and of "
    "dunes cost?\" Rely=\"1\" Token=\"50\" Difficulty=\"4\"/>\n"
    "<Step ID=\"5\" Role=\"analyze\" Task=\"What do walls and dunes do to plants, animals "
    "and visitors?\" Rely=\"1\" Token=\"50\" Difficulty=\"3\"/>\n"
    "<Step ID=\"6\" Role=\"generate\" Task=\"Is the wall or the dune better for the village, "
    "and why?\" Rely=\"2,3,4,5\" Token=\"80\" Difficulty=\"6\"/>\n"
    "</Plan>";

// The same for every step of a query, the last one included, so that all share the longest prefix.
constexpr std::string_view kWorker =
    "You do one task that helps to answer a question. Trust the results so far if there are "
    "any.\n"
    "Do only the task. Use one to three short sentences of plain words and numbers. Write "
    "calculations out on one line. No code, no LaTeX, no headings, no lists.\n"
    "For example, the task \"How much do 7 tickets at 6 dollars cost?\" is answered: 7 * 6 = "
    "42, so they cost 42 dollars.";

constexpr std::string_view kSinkForm =
    "This is the last step. Now answer the question at the top itself, from the results so "
    "far. Write at most three short sentences. Then end with one line that starts with "
    "\"Answer:\" and gives just the final answer: a number, a name, a letter if there are "
    "options, or one sentence. For example:\n"
    "Answer: 42 dollars";

constexpr std::string_view kWhole =
    "Answer the question. First reason in a few short sentences of plain words and numbers. "
    "No code, no LaTeX, no headings. Then end with one line that starts with \"Answer:\" and "
    "gives just the final answer: a number, a name, a letter if there are options, or one "
    "sentence.\n"
    "For example, the question \"Mia has 4 bags of 9 apples and eats 6. How many are left?\" "
    "is answered:\n"
    "4 * 9 = 36 apples. 36 - 6 = 30 are left.\n"
    "Answer: 30";

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
  return {system(kWhole), user(std::string(question))};
}

}  // namespace hf
