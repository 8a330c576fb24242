// Goal: an answer is right if it says what the gold answer says, in whatever form either is
// written. Method: a table by hand; the answers that the program's own graded task file expects of
// itself.
#include "eval/grade.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "eval/tasks.h"

namespace hf::eval {
namespace {

struct Case {
  std::string_view answer;
  std::string_view gold;
  double grade;
};

TEST(Grade, ComparesWhatIsSaidInTheEnd) {
  const std::vector<Case> cases = {
      {"3 + 4 is 7.\nAnswer: 7", "3 + 4 = <<3+4=7>>7\n#### 7", 1},
      {"Answer: $1,200.00", "#### 1,200", 1},
      {"Answer: 1200 dollars a week for 3 weeks", "1200", 1},
      {"Answer: 1201", "#### 1,200", 0},
      {"Answer: -5", "5", 0},
      {"Answer: 0.75", "3/4", 1},
      {"Answer: 3/4", "0.75", 1},
      {"Answer: 1/0", "1", 0},
      {"Answer: 1/3", "0.333", 0},
      {"Answer: 2.0000001", "2", 1},
      {"It is 12.\nAnswer: She has twelve", "#### 12", 1},
      {"It is 12.\nAnswer: She has twelve", "#### 13", 0},
      {"12 apples\nAnswer: 13 apples", "12", 0},
      {"So (c) it is.\nAnswer: (C)", "C", 1},
      {"Answer: c) 12", "12", 1},
      {"Answer: 12", "C", 0},
      {"Answer: The Hague.", "the  hague", 1},
      {"Answer: Paris", "Rome", 0},
      {"", "7", 0},
      {"7", "", 0},
      {"", "", 0},
      {std::string_view("\xff\0\xfe 7", 5), "7", 1},
  };
  for (const Case& c : cases) EXPECT_EQ(grade(c.answer, c.gold), c.grade) << c.answer;
}

RC_GTEST_PROP(Grade, IsZeroOrOneWhateverTheBytes,
              (const std::string& answer, const std::string& gold)) {
  const double result = grade("Answer: " + answer, gold);
  RC_ASSERT(result == 0 || result == 1);
}

RC_GTEST_PROP(Grade, EveryNumberIsRightAboutItself, (std::int32_t number)) {
  const std::string text = std::to_string(number);
  RC_ASSERT(grade("It is so. Answer: " + text + ".", "#### " + text) == 1);
  RC_ASSERT(grade("The answer is $" + std::to_string(std::int64_t{number} + 1), text) == 0);
}

TEST(Grade, TheShippedTasksAreRightAboutThemselvesOnly) {
  for (const char* file : {"gsm8k_50.jsonl.gz", "gsm8k_train_300.jsonl.gz"}) {
    const auto tasks = load_tasks(std::string(HF_SOURCE_DIR) + "/data/tasks/" + file);
    ASSERT_TRUE(tasks) << tasks.error().message;
    std::size_t same = 0;
    for (std::size_t i = 0; i < tasks->size(); ++i) {
      const std::string& gold = (*tasks)[i].answer;
      EXPECT_EQ(grade(gold, gold), 1) << gold;
      const std::string number = gold.substr(gold.find("#### ") + 5);
      EXPECT_EQ(grade("Answer: $" + number + ".00", gold), 1) << gold;
      same += grade((*tasks)[(i + 1) % tasks->size()].answer, gold) == 1 ? 1 : 0;
    }
    EXPECT_LT(same, tasks->size() / 10);
  }
}

}  // namespace
}  // namespace hf::eval
