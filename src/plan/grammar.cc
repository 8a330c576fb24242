#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "plan/prompts.h"

namespace hf {
namespace {

constexpr std::uint32_t kMostSteps = 32;

// Rule `step` for one step with this id. `list` is the rule of its references; none for the first.
std::string step_rule(std::string_view rule, std::uint32_t id, std::string_view role,
                      std::string_view list) {
  return fmt::format(
      R"({} ::= "<Step ID=\"{}\" Role=\"{}\" Task=\"" task "\" Rely=\"" {} "\" Token=\"" token )"
      R"("\" Difficulty=\"" [1-9] "\"/>\n")"
      "\n",
      rule, id, role, list);
}

// Ascending lists of the ids from `first` to `last`, none empty, none with an id twice.
std::string list_rules(std::uint32_t last) {
  std::string rules;
  for (std::uint32_t first = 1; first < last; ++first) {
    rules += fmt::format("ids-{0}-{1} ::= \"{0}\" (\",\" ids-{2}-{1})? | ids-{2}-{1}\n", first,
                         last, first + 1);
  }
  return rules + fmt::format("ids-{0}-{0} ::= \"{0}\"\n", last);
}

}  // namespace

std::string plan_grammar(std::uint32_t max_steps) {
  max_steps = std::clamp<std::uint32_t>(max_steps, 2, kMostSteps);
  // A plan without any step in the middle is no plan, unless there is no room for one.
  const std::uint32_t least = std::min<std::uint32_t>(max_steps, 3);
  std::string grammar = "root ::= \"<Plan>\\n\" explain rest-2 \"</Plan>\\n\"\n";
  grammar += step_rule("explain", 1, "explain", "");
  for (std::uint32_t id = 2; id <= max_steps; ++id) {
    const std::string list = fmt::format("ids-1-{}", id - 1);
    const bool may_end = id >= least;
    const bool may_go_on = id < max_steps;
    grammar += fmt::format("rest-{} ::= ", id);
    if (may_go_on) grammar += fmt::format("analyze-{} rest-{}", id, id + 1);
    if (may_go_on && may_end) grammar += " | ";
    if (may_end) grammar += fmt::format("generate-{}", id);
    grammar += '\n';
    if (may_go_on) grammar += step_rule(fmt::format("analyze-{}", id), id, "analyze", list);
    if (may_end) grammar += step_rule(fmt::format("generate-{}", id), id, "generate", list);
    grammar += list_rules(id - 1);
  }
  grammar += R"(task ::= [^ "<>\x01-\x1F] [^"<>\x01-\x1F]{7,199})"
             "\n"
             "token ::= [1-9] [0-9]? [0-9]?\n";
  return grammar;
}

}  // namespace hf
