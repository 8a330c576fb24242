#include "cli/explain.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

using wire::find_array;
using wire::find_bool;
using wire::find_number;
using wire::find_object;
using wire::find_string;
using wire::json::array;
using wire::json::object;
using wire::json::value;

constexpr std::size_t kColumns = 80;
constexpr std::int64_t kListed = 20;

enum class Colour : bool { kOff, kOn };

// Paragraphs of words, broken at the last column and indented.
class Page {
 public:
  explicit Page(Colour colour) : colour_(colour) {}

  void heading(std::string_view text) {
    if (!text_.empty()) text_ += '\n';
    const std::string line = printable(text);
    text_ += colour_ == Colour::kOn ? fmt::format("\x1b[1m{}\x1b[0m\n", line) : line + "\n";
  }

  void paragraph(std::string_view text, std::size_t indent = 2) {
    std::string line(indent, ' ');
    std::size_t used = indent;
    const std::string words = printable(text);
    for (std::string_view rest = words; !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t width = columns(word);
      if (used > indent && used + 1 + width > kColumns) {
        text_ += line + "\n";
        line.assign(indent + 2, ' ');
        used = indent + 2;
      } else if (used > indent) {
        line += ' ';
        ++used;
      }
      line += word;
      used += width;
    }
    text_ += line + "\n";
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  const Colour colour_;
  std::string text_;
};

double number(const object& from, std::string_view key) {
  return find_number(from, key).value_or(0);
}

std::string word(const object& from, std::string_view key) {
  return std::string(find_string(from, key).value_or(""));
}

std::string usd_words(double usd) {
  return usd == 0 ? "$0" : fmt::format("${:.3g}", usd);
}

std::vector<const object*> objects(const object& from, std::string_view key) {
  std::vector<const object*> found;
  const array* list = find_array(from, key);
  if (list == nullptr) return found;
  for (const value& each : *list) {
    if (const object* member = each.if_object()) found.push_back(member);
  }
  return found;
}

std::string way(const object& of) {
  return (word(of, "action") == "attempt" ? "an attempt on " : "") + word(of, "endpoint");
}

void say_alternatives(Page& page, const object& decision) {
  for (const object* each : objects(decision, "alternatives")) {
    std::string line = fmt::format("- {}:", way(*each));
    if (number(*each, "chance") > 0)
      line += fmt::format(" right with probability {:.3f},", number(*each, "chance"));
    line += fmt::format(" {}", usd_words(number(*each, "usd")));
    if (number(*each, "expected_ms") > 0)
      line += fmt::format(" and {:.3g} s", number(*each, "expected_ms") / 1000);
    page.paragraph(line + fmt::format(", worth {:.3f}", number(*each, "worth")), 4);
  }
}

void say_decision(Page& page, const object& decision, std::string_view title) {
  page.paragraph(fmt::format("{}{}, because: {}.", title, way(decision), word(decision, "reason")));
  const double edge = number(decision, "edge_chance");
  const double cloud = number(decision, "cloud_chance");
  page.paragraph(edge > 0 && cloud > 0
                     ? fmt::format("By the trained model the edge is right with probability "
                                   "{:.3f}, the cloud with {:.3f}.",
                                   edge, cloud)
                     : std::string("No trained model predicted chances here."),
                 4);
  const double gain = number(decision, "utility");
  const double threshold = number(decision, "threshold");
  if (gain != 0 || threshold != 0) {
    std::string line = fmt::format("The cloud would gain {:.3f}", gain);
    if (edge > 0 && cloud > 0 && std::abs(gain - (cloud - edge)) > 0.0005)
      line += " (with what was learned since, and the step's importance)";
    page.paragraph(fmt::format("{} and had to gain more than {:.3f}.", line, threshold), 4);
  }
  if (number(decision, "usd_price") > 0 || number(decision, "time_price") > 0) {
    page.paragraph(fmt::format("A dollar had to bring a gain of {:.4g}, a second one of {:.4g}.",
                               number(decision, "usd_price"), number(decision, "time_price")),
                   4);
  }
  say_alternatives(page, decision);
  const double propensity = find_number(decision, "propensity").value_or(1);
  page.paragraph(propensity < 1
                     ? fmt::format("The policy does this here with probability {:.3g}.", propensity)
                     : std::string("The policy always does this here."),
                 4);
}

void say_attempt(Page& page, const object& attempt) {
  std::string text =
      fmt::format("The attempt wrote {} tokens", number(attempt, "completion_tokens"));
  if (find_bool(attempt, "cut_by_length").value_or(false)) text += ", cut at its limit";
  if (!find_bool(attempt, "has_answer").value_or(true)) text += ", without a recognisable answer";
  const object* signals = find_object(attempt, "signals");
  const auto signal = [&](std::string_view key) {
    return signals == nullptr ? std::nullopt : find_number(*signals, key);
  };
  const auto mean = signal("mean_logprob");
  const auto low = signal("low_logprob");
  const auto margin = signal("margin");
  if (mean) text += fmt::format("; mean log-probability {:.3f}", *mean);
  if (low) text += fmt::format("; a tenth of its tokens below {:.3f}", *low);
  if (margin) text += fmt::format("; margin of the best token {:.3f}", *margin);
  if (!mean && !low && !margin) text += "; its endpoint sent no probabilities";
  page.paragraph(text + ".");
}

void say_subtask(Page& page, const object& subtask) {
  const std::string endpoint = word(subtask, "endpoint");
  std::string title = fmt::format("Subtask {}: {}", word(subtask, "id"), word(subtask, "state"));
  if (!endpoint.empty()) title += fmt::format(" on {} ({})", endpoint, word(subtask, "tier"));
  page.heading(title);
  if (const std::string why = word(subtask, "why_not_done"); !why.empty()) page.paragraph(why);
  if (endpoint.empty()) return;
  const auto earlier = objects(subtask, "earlier");
  for (const object* each : earlier) say_decision(page, *each, "First chosen: ");
  if (const object* attempt = find_object(subtask, "attempt")) say_attempt(page, *attempt);
  say_decision(page, subtask, earlier.empty() ? "Chosen: " : "Then chosen: ");
  const double calls = number(subtask, "attempts");
  page.paragraph(
      fmt::format("It took {:.3g} s and {} in {} {}, {} tokens.",
                  (number(subtask, "finished_ms") - number(subtask, "started_ms")) / 1000,
                  usd_words(number(subtask, "usd")), calls, calls == 1 ? "call" : "calls",
                  number(subtask, "prompt_tokens") + number(subtask, "completion_tokens")));
}

// Null if the receipt has no subtask of that name.
const object* find_subtask(const object& receipt, std::string_view id) {
  for (const object* each : objects(receipt, "subtasks")) {
    if (word(*each, "id") == id) return each;
  }
  return nullptr;
}

std::string time_words(std::int64_t at) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(at)));
}

int unknown_subtask(const ExplainOptions& options, const store::RunRow& run) {
  return complain(fmt::format("the run {} has no subtask '{}'", run.id, options.subtask),
                  kBadUsage);
}

bool has_colour() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(stdout) && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

int explain_in_words(const ExplainOptions& options, const store::RunRow& run,
                     const object& receipt) {
  Page page(has_colour() ? Colour::kOn : Colour::kOff);
  page.heading(fmt::format("Run {}", run.id));
  const object* totals = find_object(receipt, "totals");
  page.paragraph(fmt::format("{} UTC, policy {}, {}: {}, {} tokens, {:.3g} s.", time_words(run.at),
                             run.policy, run.outcome, "$" + wire::usd_text(run.usd),
                             run.tokens.count(),
                             totals == nullptr ? 0 : number(*totals, "wall_ms") / 1000));
  page.paragraph(run.weights.empty() ? std::string("No trained weights: chances were set by hand.")
                                     : fmt::format("Trained weights {}.", run.weights));
  if (!run.question.empty()) page.paragraph("Question: " + run.question);
  if (options.subtask.empty()) {
    for (const object* each : objects(receipt, "subtasks")) say_subtask(page, *each);
  } else {
    const object* subtask = find_subtask(receipt, options.subtask);
    if (subtask == nullptr) return unknown_subtask(options, run);
    say_subtask(page, *subtask);
  }
  // Not by show(), which would take the colours off; the page has only what is printable.
  std::fwrite(page.text().data(), 1, page.text().size(), stdout);
  return kAnswered;
}

int explain_one(store::RunStore& history, const ExplainOptions& options) {
  const auto run = history.find(options.run);
  if (!run) return complain_of(run.error());
  const auto receipt = wire::parse_json(run->receipt);
  if (!receipt || !receipt->is_object())
    return complain(fmt::format("the receipt of the run {} is damaged", run->id), kFailed);
  const object& document = receipt->get_object();
  if (!options.json) return explain_in_words(options, *run, document);
  value shown = document;
  if (!options.subtask.empty()) {
    const object* subtask = find_subtask(document, options.subtask);
    if (subtask == nullptr) return unknown_subtask(options, *run);
    shown = *subtask;
  }
  print_json(shown);
  return kAnswered;
}

int list(store::RunStore& history, bool as_json) {
  const auto runs = history.latest({.count = kListed});
  if (!runs) return complain_of(runs.error());
  if (as_json) {
    array listed;
    for (const store::RunRow& run : *runs) {
      listed.push_back(object{{"run", run.id},
                              {"at", run.at},
                              {"policy", run.policy},
                              {"weights", run.weights},
                              {"outcome", run.outcome},
                              {"pico_usd", run.usd.count()},
                              {"question", run.question}});
    }
    show(stdout, wire::to_text(object{{"version", 1}, {"runs", std::move(listed)}},
                               wire::Layout::kIndented) +
                     "\n");
    return kAnswered;
  }
  if (runs->empty()) show(stdout, "no runs yet\n");
  for (const store::RunRow& run : *runs) {
    show(stdout, fmt::format("{}  {}  {:<10}  {:<11}  ${}\n", run.id, time_words(run.at),
                             run.policy, run.outcome, wire::usd_text(run.usd)));
    if (!run.question.empty()) show(stdout, fmt::format("  {}\n", fit(run.question, 76)));
  }
  return kAnswered;
}

}  // namespace

int run_explain(const ExplainOptions& options) {
  auto history = open_history();
  if (!history) return complain_of(history.error());
  return options.run.empty() ? list(*history, options.json) : explain_one(*history, options);
}

}  // namespace hf::cli
