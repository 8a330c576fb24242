#include "serve/client_run.h"

#include <fmt/format.h>

#include <utility>

#include "wire/chat.h"
#include "wire/hybrid_reply.h"
#include "wire/run_events.h"

namespace hf::serve {

bool is_answered(const RunRecord& record) {
  return record.outcome == Outcome::kAnswered || record.outcome == Outcome::kDegraded;
}

ClientRun::ClientRun(std::shared_ptr<net::Responder> responder,
                     const std::vector<EndpointConfig>& endpoints, Options options, Hooks hooks)
    : responder_(std::move(responder)),
      options_(std::move(options)),
      endpoints_(endpoints),
      hooks_(std::move(hooks)) {
  responder_->on_close([this] {
    if (!options_.outlives_client) abandon();
  });
}

void ClientRun::tell(RunFeed::Event event) {
  if (options_.shows_progress) show(event());
  feed_.add(std::move(event));
}

void ClientRun::on_gate(const GateVerdict& verdict) {
  tell([verdict] { return wire::write_gate_event(verdict); });
}

void ClientRun::on_step(const PlannedStep& step) {
  tell([step] { return wire::write_step_event(step); });
}

void ClientRun::on_plan_end(const PlanEnd& end, std::span<const std::string> repairs) {
  tell([end, repaired = repairs.size()] { return wire::write_plan_event(end, repaired); });
}

void ClientRun::on_call_start(const StartCall& call, const RunRecord& record) {
  Reason reason;
  if (call.kind != CallKind::kPlanner) {
    const auto& decision = record.subtasks[index_of(call.subtask)].decision;
    if (decision) reason = decision->reason;
  }
  tell([id = call.call, kind = call.kind, subtask = call.subtask, reason,
        &endpoint = endpoint_of(call.endpoint)] {
    return wire::write_call_event(id, kind, subtask, reason.view(), endpoint);
  });
}

void ClientRun::on_change(const RunRecord& record) {
  is_told_.resize(record.calls.size());
  for (std::size_t i = 0; i < record.calls.size(); ++i) {
    const CallRecord& call = record.calls[i];
    if (call.status == CallStatus::kRunning || is_told_[i]) continue;
    is_told_[i] = true;
    tell([call, &endpoint = endpoint_of(call.endpoint)] {
      return wire::write_call_end_event(call, endpoint);
    });
  }
}

void ClientRun::abandon() {
  responder_.reset();
  if (hooks_.give_up) std::exchange(hooks_.give_up, nullptr)();
}

void ClientRun::break_off(const Problem& problem) {
  responder_->write(wire::sse_frame(error_json(problem)));
  responder_->end();
}

void ClientRun::break_off_restarted() {
  break_off({502, "answer_restarted",
             "The endpoint failed in the middle of the answer; what was streamed is not complete. "
             "Send the request again.",
             ""});
  abandon();
}

void ClientRun::on_finish(Receipt receipt) {
  hooks_.give_up = nullptr;  // There is nothing left to give up.
  on_change(receipt.record);
  if (responder_) answer(receipt);
  responder_.reset();
  feed_.end([&] {
    return fmt::format(R"({{"type":"end","summary":{}}})",
                       wire::write_run_summary(receipt, options_.lowered));
  });
  hooks_.done(std::move(receipt));
}

Problem ClientRun::problem_of(const RunRecord& record) const {
  switch (record.outcome.value_or(Outcome::kUnavailable)) {
    case Outcome::kRefused: {
      Problem problem{402, "budget_exceeded", record.trouble, ""};
      problem.refusal = record.refusal;
      if (record.refusal) problem.retry_after = hooks_.renews_in(*record.refusal);
      return problem;
    }
    case Outcome::kDeadline:
      return {504, "deadline_exceeded", record.trouble, ""};
    case Outcome::kCancelled:
      return {503, "run_cancelled", record.trouble, ""};
    default:
      return record.calls.empty() ? Problem{503, "no_endpoint", record.trouble, ""}
                                  : Problem{502, "upstream_failed", record.trouble, ""};
  }
}

}  // namespace hf::serve
