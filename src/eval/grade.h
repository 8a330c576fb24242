// Whether an answer is right, by the gold answer of its task.
//
// Knows forms, not meanings: "twelve" is not 12. Thread safety: none needed, there is no state.
#pragma once

#include <string_view>

namespace hf::eval {

// 1 if what `answer` says in the end (route/answer.h) is what `gold` says, else 0. Gold is a
// number, a choice letter, a short text, or a worked solution that ends in "#### 42". If gold is a
// number, an answer whose marked place has none is taken by the last number of its text; numbers
// are equal to a millionth, and a fraction equals its decimal.
[[nodiscard]] double grade(std::string_view answer, std::string_view gold);

}  // namespace hf::eval
