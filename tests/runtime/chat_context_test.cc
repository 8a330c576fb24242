// Goal: what was said before a question reaches the prompts of a plan marked, bounded, and counted.
// Method: chats by hand, and chats of any shape against the prompts that are made of them.
#include "runtime/chat_context.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/utf8.h"
#include "plan/prompts.h"
#include "runtime/blackboard.h"

namespace hf {
namespace {

TEST(ChatContext, IsEmptyForAQuestionAlone) {
  EXPECT_EQ(chat_context({}), "");
  EXPECT_EQ(chat_context(std::vector<ChatMessage>{{"user", "How many?"}}), "");
}

TEST(ChatContext, ShowsWhatWasSaidInItsOrderWithoutTheQuestion) {
  const std::vector<ChatMessage> messages{
      {"system", "Be brief."}, {"user", "Hello"}, {"assistant", "Hi."}, {"user", "How many?"}};
  EXPECT_EQ(chat_context(messages),
            "What was said before the question, for context only:\nsystem: Be brief.\nuser: "
            "Hello\nassistant: Hi.\nEnd of what was said before.\n\n");
}

TEST(ChatContext, KeepsInstructionsAndWhatIsNewest) {
  const std::vector<ChatMessage> messages{{"user", std::string(kContextBytesMax, 'a')},
                                          {"system", "Be brief."},
                                          {"assistant", std::string(kContextBytesMax - 20, 'b')},
                                          {"user", "How many?"}};
  const std::string context = chat_context(messages);
  EXPECT_TRUE(context.contains("system: Be brief.\n"));
  EXPECT_TRUE(context.contains(std::string(kContextBytesMax - 20, 'b') + "\n"));
  EXPECT_TRUE(context.contains("user: aaaaaaaaaaa […]\n"));
}

TEST(ChatContext, IsCutBetweenCharacters) {
  std::string text;
  while (text.size() < 2 * kContextBytesMax) text += "€";
  const std::vector<ChatMessage> messages{{"user", text}, {"user", "How many?"}};
  const std::string context = chat_context(messages);
  EXPECT_TRUE(is_utf8(context));
  EXPECT_LE(context.size(), kContextBytesMax + 200);
}

RC_GTEST_PROP(ChatContext, IsCountedInFullForEveryPrompt, ()) {
  Blackboard board;
  const auto count = *rc::gen::inRange<std::size_t>(1, 8);
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_last = i + 1 == count;
    const auto role = *rc::gen::element<std::string>("system", "user", "assistant");
    const std::string text(*rc::gen::inRange<std::size_t>(1, 9000), 'x');
    board.query.messages.push_back({is_last ? "user" : role, text});
  }
  board.query.question = board.query.messages.back().content;
  board.context = chat_context(board.query.messages);
  const std::uint32_t bytes = question_bytes(board.query, board.context);
  board.steps.emplace_back().task = "";
  const auto size_of = [&](Prompt prompt) {
    std::size_t size = 0;
    StartCall call;
    call.prompt = prompt;
    for (const ChatMessage& each : prompt_of(board, call))
      size += each.content.size() + each.role.size();
    return size;
  };
  RC_ASSERT(size_of(Prompt::kWhole) <= bytes + kPromptOverheadBytes);
  RC_ASSERT(size_of(Prompt::kSubtask) <= bytes + kPromptOverheadBytes);
  RC_ASSERT(size_of(Prompt::kSink) <= bytes + kPromptOverheadBytes);
  RC_ASSERT(size_of(Prompt::kPlan) <= bytes + kPlanOverheadBytes);
  RC_ASSERT(size_of(Prompt::kReplan) <= bytes + kPlanOverheadBytes);
}

}  // namespace
}  // namespace hf
