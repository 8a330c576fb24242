#include "eval/grade.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "base/number.h"
#include "route/answer.h"

namespace hf::eval {
namespace {

std::optional<double> decimal(std::string_view text) {
  const auto value = parse_number<double>(text, std::chars_format::fixed);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

// Of "1200.5" or "3/4".
std::optional<double> number(std::string_view text) {
  const auto slash = text.find('/');
  const auto value = decimal(text.substr(0, slash));
  if (slash == std::string_view::npos || !value) return value;
  const auto divisor = decimal(text.substr(slash + 1));
  if (!divisor || *divisor == 0) return std::nullopt;
  return *value / *divisor;
}

}  // namespace

double grade(std::string_view answer, std::string_view gold) {
  const std::string want = final_answer(gold);
  const std::string got = final_answer(answer);
  if (want.empty() || got.empty()) return 0;
  if (got == want) return 1;
  const auto wanted = number(want);
  if (!wanted) return 0;
  auto given = number(got);
  if (!given) given = number(last_number(answer));
  return given && std::abs(*given - *wanted) <= 1e-6 ? 1 : 0;
}

}  // namespace hf::eval
