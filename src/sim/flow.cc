#include "sim/flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "sim/words.h"

namespace hf::sim {
namespace {

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(by), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// One line: its words, and its key=value pairs (a bare word is its own key with no value). Reading
// a value marks it as known; what nobody asked for is a mistake.
class Line {
 public:
  Line(std::size_t number, std::string_view text) : number_(number), words_(split(text, ' ')) {
    for (const std::string& word : words_) {
      const std::size_t at = word.find('=');
      if (at != std::string::npos) values_[word.substr(0, at)] = word.substr(at + 1);
    }
  }

  [[nodiscard]] std::string word(std::size_t index) const {
    return index < words_.size() ? words_[index] : "";
  }
  [[nodiscard]] bool has(std::string_view bare) const {
    return std::ranges::count(words_, bare) > 0;
  }
  [[nodiscard]] std::optional<std::string> text(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::optional<double> number(const std::string& key) {
    return parse(key, text(key).value_or(""), {{"", 1}});
  }
  [[nodiscard]] std::optional<Duration> time(const std::string& key) {
    const auto count = parse(key, text(key).value_or(""), {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}});
    return count ? std::optional(Duration(std::llround(*count))) : std::nullopt;
  }
  [[nodiscard]] std::uint32_t count(const std::string& key, std::uint32_t otherwise) {
    return static_cast<std::uint32_t>(std::clamp(number(key).value_or(otherwise), 0.0, 4e9));
  }
  void blame(std::string what) {
    if (trouble_.empty()) trouble_ = std::move(what);
  }
  // The names of keys and bare words that this line may have.
  void allow(std::string_view names) {
    const std::vector<std::string> known = split(names, ' ');
    for (const auto& [key, value] : values_) {
      if (std::ranges::count(known, key) == 0) blame(fmt::format("it does not know '{}'", key));
    }
  }
  [[nodiscard]] Result<void> verdict() const {
    if (trouble_.empty()) return {};
    return fail(Code::kInvalidInput, fmt::format("Line {}: {}.", number_, trouble_));
  }

 private:
  using Units = std::vector<std::pair<std::string_view, double>>;
  std::optional<double> parse(const std::string& key, std::string_view value, const Units& units) {
    if (value.empty()) return std::nullopt;
    double count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    const std::string_view unit = value.substr(static_cast<std::size_t>(end - value.data()));
    for (const auto& [name, factor] : units) {
      if (error == std::errc() && unit == name && std::abs(count) < 1e9) return count * factor;
    }
    blame(fmt::format("'{}' is no value for '{}'", value, key));
    return std::nullopt;
  }

  std::size_t number_;
  std::vector<std::string> words_;
  std::map<std::string, std::string> values_;
  std::string trouble_;
};

PicoUsd dollars(double usd) {
  return from_usd(usd);
}

class Reader {
 public:
  Result<void> read(std::size_t number, std::string_view text) {
    Line line(number, text);
    const std::string what = line.word(0);
    if (what == "endpoint")
      endpoint(line);
    else if (what == "options")
      options(line);
    else if (what == "ledger")
      ledger(line);
    else if (what == "death")
      death(line);
    else if (what == "query")
      query(line);
    else if (what == "plan")
      plan(line);
    else if (what == "step")
      step(line);
    else if (what == "call")
      call(line);
    else
      line.blame(fmt::format("'{}' is no kind of line", what));
    return line.verdict();
  }

  Result<WorldSpec> take() {
    if (spec_.endpoints.empty()) return fail(Code::kInvalidInput, "The flow has no endpoint.");
    for (std::size_t i = 0; i < spec_.endpoints.size(); ++i) {
      if (spec_.endpoints[i].endpoint.name == planner_) {
        spec_.options.planner = static_cast<EndpointId>(i);
      }
    }
    for (const QueryScript& each : spec_.queries) {
      if (each.plan && each.plans.empty()) {
        return fail(Code::kInvalidInput, "A query that is planned needs a plan line.");
      }
    }
    return std::move(spec_);
  }

 private:
  void endpoint(Line& line) {
    line.allow("tier slots first token price");
    EndpointScript& script = spec_.endpoints.emplace_back();
    script.endpoint.name = line.word(1);
    script.endpoint.tier = line.text("tier") == "cloud" ? Tier::kCloud : Tier::kEdge;
    script.endpoint.max_in_flight = line.count("slots", 1);
    script.first_token = line.time("first").value_or(std::chrono::milliseconds(10));
    script.per_token = line.time("token").value_or(std::chrono::milliseconds(1));
    if (const auto price = line.text("price")) {
      std::vector<double> parts;
      for (const std::string& part : split(*price, '/')) parts.push_back(std::atof(part.c_str()));
      if (parts.size() != 3) return line.blame("a price is prompt/cached/completion");
      const auto pico = [](double usd) { return PicoUsd(std::llround(usd * 1e6)); };
      script.endpoint.price = {pico(parts[0]), pico(parts[1]), pico(parts[2])};
    }
  }

  void options(Line& line) {
    line.allow(
        "policy share attempts base cap failures cooldown queries usd tokens planner fallback "
        "plan_max subtask_max sink_max bill");
    Scheduler::Options& options = spec_.options;
    spec_.policy = line.text("policy").value_or(spec_.policy);
    spec_.policy_options.cloud_share = line.number("share").value_or(0.5);
    options.retry.attempts_max = line.count("attempts", 2);
    options.retry.base = line.time("base").value_or(options.retry.base);
    options.retry.cap = line.time("cap").value_or(options.retry.cap);
    options.breaker.failures_max = line.count("failures", 5);
    options.breaker.cool_down = line.time("cooldown").value_or(options.breaker.cool_down);
    options.queries_max = line.count("queries", 1024);
    if (const auto usd = line.number("usd")) options.process.usd = dollars(*usd);
    if (line.text("tokens")) options.process.cloud_tokens = Tokens(line.count("tokens", 0));
    options.plan_max_tokens = Tokens(line.count("plan_max", 512));
    options.subtask_max_tokens = Tokens(line.count("subtask_max", 256));
    options.sink_max_tokens = Tokens(line.count("sink_max", 512));
    if (line.text("fallback") == "none") options.fallback = Fallback::kNone;
    planner_ = line.text("planner").value_or("");
    spec_.bill_delay = line.time("bill");
  }

  void ledger(Line& line) {
    line.allow("usd tokens write");
    LedgerScript& ledger = spec_.ledger.emplace();
    store::ScopeSpec& scope = ledger.scopes.emplace_back();
    scope.name = "process";
    if (const auto usd = line.number("usd")) scope.limits.usd = dollars(*usd);
    if (line.text("tokens")) scope.limits.cloud_tokens = Tokens(line.count("tokens", 0));
    ledger.write = line.time("write").value_or(Duration(0));
  }

  void death(Line& line) {
    line.allow("after commands down reconcile");
    if (!spec_.ledger) return line.blame("there is no ledger above");
    Death& death = spec_.ledger->deaths.emplace_back();
    death.after = line.time("after").value_or(Duration(0));
    death.commands = line.count("commands", 0);
    death.is_written = line.has("written");
    death.down = line.time("down").value_or(Duration(0));
    death.reconcile = line.time("reconcile").value_or(Duration(0));
  }

  QueryScript* find(Line& line) {
    const auto id = static_cast<QueryId>(std::strtoull(line.word(1).c_str(), nullptr, 10));
    const auto found = std::ranges::find(spec_.queries, id, &QueryScript::id);
    if (found != spec_.queries.end()) return &*found;
    line.blame(fmt::format("there is no query '{}' above", line.word(1)));
    return nullptr;
  }

  void query(Line& line) {
    line.allow("at deadline usd tokens question cancel mode seed");
    QueryScript& script = spec_.queries.emplace_back();
    script.id = static_cast<QueryId>(std::strtoull(line.word(1).c_str(), nullptr, 10));
    script.at = line.time("at").value_or(Duration(0));
    script.budget.deadline = line.time("deadline");
    if (const auto usd = line.number("usd")) script.budget.usd = dollars(*usd);
    if (line.text("tokens")) script.budget.cloud_tokens = Tokens(line.count("tokens", 0));
    script.question_bytes = line.count("question", 100);
    script.cancel_at = line.time("cancel");
    script.seed = line.count("seed", 0);
    const std::string mode = line.text("mode").value_or("plan");
    script.plan = mode != "whole";
    script.plan_given = mode == "given";
  }

  std::optional<SubtaskId> node(Line& line, const PlanScript& plan, const std::string& label) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      if (plan.steps[i].label == label) return static_cast<SubtaskId>(i);
    }
    line.blame(fmt::format("there is no step '{}' above", label));
    return std::nullopt;
  }

  // Its sink and pruned steps are named before they are there: kept, and resolved with each step.
  void plan(Line& line) {
    line.allow("end call_end outcome sink pruned");
    QueryScript* script = find(line);
    if (script == nullptr) return;
    PlanScript& plan = script->plans.emplace_back();
    plan.end = line.time("end").value_or(Duration(0));
    plan.call_end = line.time("call_end").value_or(Duration(0));
    const auto outcome = plan_outcome_of(line.text("outcome").value_or("complete"));
    if (!outcome) return line.blame("an outcome is complete, truncated or useless");
    plan.outcome = *outcome;
    sink_ = line.text("sink").value_or("");
    pruned_ = split(line.text("pruned").value_or(""), ',');
  }

  void step(Line& line) {
    line.allow("at role rely expected bytes difficulty");
    QueryScript* script = find(line);
    if (script == nullptr) return;
    if (script->plans.empty()) return line.blame("there is no plan above");
    PlanScript& plan = script->plans.back();
    StepScript step;
    step.label = line.word(2);
    step.at = line.time("at").value_or(Duration(0));
    step.task_bytes = line.count("bytes", 40);
    step.difficulty = static_cast<std::uint8_t>(std::min(line.count("difficulty", 0), 9U));
    step.subtask.expected = Tokens(line.count("expected", 0));
    const std::string role = line.text("role").value_or("analyze");
    if (role == "explain") step.subtask.role = Role::kExplain;
    if (role == "generate") step.subtask.role = Role::kGenerate;
    for (const std::string& label : split(line.text("rely").value_or(""), ',')) {
      if (const auto id = node(line, plan, label)) step.subtask.relies_on.push_back(*id);
    }
    plan.steps.push_back(std::move(step));
    const auto id = static_cast<SubtaskId>(plan.steps.size() - 1);
    const std::string& label = plan.steps.back().label;
    if (label == sink_) plan.sink = id;
    if (std::ranges::count(pruned_, label) > 0) plan.pruned.push_back(id);
  }

  void call(Line& line) {
    line.allow("endpoint job query nth fail after retry_after prompt completion logprob");
    CallRule& rule = spec_.rules.emplace_back();
    rule.endpoint = line.text("endpoint").value_or("");
    rule.job = line.text("job").value_or("");
    if (line.text("query")) rule.query = static_cast<QueryId>(line.count("query", 0));
    rule.nth = line.count("nth", 0);
    const auto failure = failure_of(line.text("fail").value_or("none"));
    if (!failure) return line.blame("it does not know this way to fail");
    rule.failure = *failure;
    rule.after = line.time("after");
    rule.retry_after = line.time("retry_after");
    rule.is_billable = !line.has("unbilled");
    rule.has_usage = !line.has("nousage");
    rule.logprob = line.number("logprob");
    if (line.text("prompt") || line.text("completion")) {
      rule.usage.emplace().prompt = Tokens(line.count("prompt", 0));
      rule.usage->completion = Tokens(line.count("completion", 0));
    }
  }

  WorldSpec spec_;
  std::string planner_;
  std::string sink_;
  std::vector<std::string> pruned_;
};

}  // namespace

Result<Flow> parse_flow(std::string_view text) {
  Flow flow;
  Reader reader;
  std::size_t number = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = std::min(end + 1, text.size());
    ++number;
    if (line == "---") break;
    if (line.empty() || line.front() == '#') continue;
    HF_CHECK(reader.read(number, line));
  }
  flow.input = text.substr(0, at);
  flow.expected = text.substr(at);
  HF_TRY(flow.world, reader.take());
  return flow;
}

}  // namespace hf::sim
