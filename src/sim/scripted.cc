#include "sim/scripted.h"

#include <algorithm>

namespace hf::sim {
namespace {

// The truth about a call: always within what it may use.
Usage usage_of(const CallView& call) {
  Tokens expected(20);
  if (call.start.kind == CallKind::kPlanner) expected = Tokens(100);
  if (call.step != nullptr && call.step->subtask.expected > Tokens(0)) {
    expected = call.step->subtask.expected;
  }
  Usage usage;
  usage.prompt = Tokens(30 + 10 * static_cast<std::int64_t>(call.start.inputs.size()));
  usage.completion = std::min(expected, call.start.max_tokens);
  return usage;
}

}  // namespace

std::string_view job_of(const StartCall& start, const StepScript* step) {
  if (start.kind == CallKind::kPlanner) return "plan";
  if (step == nullptr) return "whole";
  return step->label;
}

Course Scripted::course(const CallView& call) {
  const CallRule* rule = rule_for(call);
  const Usage truth = usage_of(call);
  Course course;
  if (rule != nullptr) {
    course.failure = rule->failure;
    course.retry_after = rule->retry_after;
    course.is_billable = rule->is_billable;
    if (rule->logprob) course.signals.emplace().mean_logprob = rule->logprob;
  }
  const bool fails = course.failure != Failure::kNone;
  if (call.plan != nullptr) {
    course.end = fails ? call.plan->end : std::max(call.plan->call_end, call.plan->end);
    course.output_bytes = 400;
  } else {
    const EndpointScript& endpoint = spec_.endpoints[index_of(call.start.endpoint)];
    course.first_token = endpoint.first_token;
    course.end = endpoint.first_token + endpoint.per_token * truth.completion.count();
    course.output_bytes = static_cast<std::uint32_t>(truth.completion.count() * 4);
  }
  if (rule != nullptr && rule->after) course.end = *rule->after;
  if (rule == nullptr || rule->has_usage) {
    if (!fails) course.told = truth;
    if (rule != nullptr && rule->usage) course.told = rule->usage;
  }
  course.bill_delay = spec_.bill_delay;
  course.so_far = truth;
  course.so_far.completion = Tokens(truth.completion.count() / 2);
  return course;
}

std::optional<Death> Scripted::next_death() {
  const std::vector<Death>& deaths = spec_.ledger->deaths;
  if (deaths_ == deaths.size()) return std::nullopt;
  return deaths[deaths_++];
}

const CallRule* Scripted::rule_for(const CallView& call) const {
  const std::string& endpoint = spec_.endpoints[index_of(call.start.endpoint)].endpoint.name;
  const std::string_view job = job_of(call.start, call.step);
  const auto fits = [&](const CallRule& rule) {
    return (rule.endpoint.empty() || rule.endpoint == endpoint) &&
           (rule.job.empty() || rule.job == job) &&
           (!rule.query || *rule.query == call.start.query) &&
           (rule.nth == 0 || rule.nth == call.nth);
  };
  const auto found = std::ranges::find_if(spec_.rules, fits);
  return found == spec_.rules.end() ? nullptr : &*found;
}

}  // namespace hf::sim
