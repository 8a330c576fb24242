// The final answer in what a model wrote, in normal form: what votes, agreement and grades compare.
//
// Reads any bytes in time linear in their number. It does not judge whether an answer is right
// (eval/grade.h). Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hf {

// A longer number or text is no answer.
inline constexpr std::size_t kAnswerBytesMax = 64;

// The final answer of `text`, "" if there is none. It is looked for in the last line that begins
// with "Answer:", "The answer is", "Final answer" or "#### ", or has "\boxed{…}"; if there is no
// such line, behind the last "answer is" or "answer:"; if there is none either, in all of the text.
// Its normal form: a capital for a choice ("(b)", "B.", "B) foo", "option B"); a plain decimal for
// a number ("$1,200.50 per year" gives "1200.5"); otherwise the text in lower case (ASCII) with
// single blanks, if it is short. Of an unmarked text: the choice that its only line begins with or
// its last line is, else the last number in it, else the text itself.
[[nodiscard]] std::string final_answer(std::string_view text);

// The last number anywhere in `text`, in normal form; "" if there is none.
[[nodiscard]] std::string last_number(std::string_view text);

}  // namespace hf
