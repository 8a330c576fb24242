// What the scheduler asks for, carried out: each call as its behaviour has it.
#include <algorithm>
#include <utility>

#include "graph/graph.h"
#include "sim/world_impl.h"

namespace hf::sim {

void World::Impl::carry_out(const StartCall& command) {
  const std::size_t number = index_of(command.call);
  if (number >= calls_.size()) calls_.resize(number + 1);
  Call& call = calls_[number];
  call.start = command;
  call.stage = Stage::kRunning;
  Query& query = query_of(command.query);
  if (command.kind == CallKind::kPlanner) {
    query.plan = &query.script->plans[std::min(query.begun, query.script->plans.size() - 1)];
    ++query.begun;
    query.released = 0;
  } else if (command.prompt != Prompt::kWhole) {
    call.step = &query.plan->steps[index_of(command.subtask)];
  }
  const bool is_journalled = ledger_ && command.lease;
  if (is_journalled) {
    const auto journalled = ledger_->start(command.call, command.worst);
    if (is_dying_) return;
    if (!journalled) {
      call.course = {};
      call.course.failure = Failure::kRejected;
      call.course.is_billable = false;
      return play(call);
    }
  }
  call.course = course_of(call);
  if (is_journalled) ledger_->sent(command.call, charge_of(call));
  play(call);
}

// What the endpoint charges for a call, from the moment it was sent and whatever becomes of it:
// what it would tell, or as much as it may.
Amounts World::Impl::charge_of(const Call& call) const {
  const Endpoint& endpoint = spec_.options.endpoints[index_of(call.start.endpoint)];
  if (!call.course.told) return call.course.is_billable ? call.start.worst : Amounts{};
  return {cost_of(endpoint.price, *call.course.told),
          endpoint.tier == Tier::kCloud ? call.course.told->total() : Tokens(0)};
}

Course World::Impl::course_of(const Call& call) {
  Query& query = query_of(call.start.query);
  const std::size_t job =
      call.start.kind == CallKind::kPlanner ? 0 : index_of(call.start.subtask) + 1;
  const std::size_t counter = job * spec_.endpoints.size() + index_of(call.start.endpoint);
  if (counter >= query.attempts.size()) query.attempts.resize(counter + 1);
  CallView view{.start = call.start,
                .query = *query.script,
                .step = call.step,
                .nth = ++query.attempts[counter],
                .now = now_};
  if (call.start.kind == CallKind::kPlanner) view.plan = query.plan;
  if (call.step != nullptr) {
    view.is_well_informed = call.start.inputs.size() == call.step->subtask.relies_on.size();
  }
  for (const SubtaskId input : call.start.inputs) {
    const Output& output = query.outputs[index_of(input)];
    view.input_bytes += output.bytes + query.plan->steps[index_of(input)].task_bytes;
    view.is_well_informed = view.is_well_informed && output.is_right;
  }
  view.is_down = now_ < down_until_[index_of(call.start.endpoint)];
  return spec_.behaviour->course(view);
}

Event World::Impl::end_of(const Call& call) const {
  const Course& course = call.course;
  if (course.failure == Failure::kNone) {
    return CallDone{.call = call.start.call,
                    .usage = course.told,
                    .output_bytes = course.output_bytes,
                    .cut_by_length = course.is_cut_by_length,
                    .signals = course.signals};
  }
  return CallFailed{.call = call.start.call,
                    .failure = course.failure,
                    .detail = {},
                    .retry_after = course.retry_after,
                    .usage = course.told,
                    .billable = course.is_billable,
                    .output_bytes = course.output_bytes};
}

void World::Impl::play(const Call& call) {
  const Course& course = call.course;
  const CallId id = call.start.call;
  if (course.first_token && *course.first_token < course.end) {
    post(*course.first_token, CallFirstToken{id}, id);
  }
  const bool fails = course.failure != Failure::kNone;
  if (call.start.kind == CallKind::kPlanner) {
    const Query& query = query_of(call.start.query);
    const PlanScript& plan = *query.plan;
    // A call that ends together with its plan is told first, and so is its failure.
    const bool is_told_first = fails || plan.call_end <= plan.end;
    if (is_told_first) post(course.end, end_of(call), id);
    if (fails) {
      const Duration until = std::min(course.end, course.plan_stops.value_or(course.end));
      const std::size_t steps = play_steps(query, id, course.plan_begins, until);
      post_plan_end(query, steps, course.end, id);
    } else {
      play_steps(query, id, course.plan_begins, std::nullopt);
      post(course.plan_begins + plan.end,
           PlanEnded{query.script->id, plan.outcome, plan.sink, plan.pruned}, id);
    }
    if (!is_told_first) post(course.end, end_of(call), id);
  } else {
    post(course.end, end_of(call), id);
  }
  if (course.again) post(course.end + *course.again, end_of(call), id);
}

// The steps that come before `until`, if that is given; returns how many.
std::size_t World::Impl::play_steps(const Query& query, std::optional<CallId> of, Duration begins,
                                    std::optional<Duration> until) {
  std::size_t count = 0;
  for (const StepScript& step : query.plan->steps) {
    if (until && begins + step.at > *until) break;
    TaskFeatures features = step.features;
    features.difficulty = step.difficulty;
    post(begins + step.at,
         StepParsed{query.script->id, static_cast<SubtaskId>(count), step.subtask, step.task_bytes,
                    features},
         of);
    ++count;
  }
  return count;
}

// Of a plan that was cut after so many steps.
void World::Impl::post_plan_end(const Query& query, std::size_t steps, Duration wait,
                                std::optional<CallId> of) {
  PlanEnded cut{
      .query = query.script->id, .outcome = PlanOutcome::kUseless, .sink = {}, .pruned = {}};
  if (steps > 0) {
    Graph graph;
    for (std::size_t i = 0; i < steps; ++i) graph.add(query.plan->steps[i].subtask);
    cut.outcome = PlanOutcome::kTruncated;
    cut.sink = static_cast<SubtaskId>(steps - 1);
    cut.pruned = graph.not_reaching(*cut.sink);
  }
  post(wait, std::move(cut), of);
}

void World::Impl::carry_out(const CancelCall& command) {
  Call& call = calls_[index_of(command.call)];
  call.stage = Stage::kCancelled;
  if (call.course.ends_though_cancelled) return;
  ++call.turn;
  if (!call.course.bill_delay) return;
  Event bill;
  if (index_of(command.call) % 2 == 0) {  // It may also have got to its end meanwhile.
    bill = CallDone{.call = command.call, .usage = call.course.so_far, .signals = {}};
  } else {
    bill = CallFailed{.call = command.call,
                      .failure = Failure::kNone,
                      .detail = {},
                      .retry_after = {},
                      .usage = call.course.so_far,
                      .billable = true};
  }
  post(*call.course.bill_delay, std::move(bill), command.call);
}

void World::Impl::carry_out(const SetTimer& command) {
  post(std::max(command.at - now_, Duration(0)), TimerFired{command.timer});
}

void World::Impl::carry_out(const WantBudget& command) {
  if (ledger_) return lease(command.needed);
  if (!spec_.lease) return;
  const LeaseScript& lease = *spec_.lease;
  const Budget before = leased_;
  const auto grow = [](auto& limit, const auto& total, auto slice, auto needed) {
    if (limit) limit = std::min(*total, *limit + std::max(slice, needed));
  };
  grow(leased_.usd, lease.total.usd, lease.slice.usd, command.needed.usd);
  grow(leased_.cloud_tokens, lease.total.cloud_tokens, lease.slice.cloud_tokens,
       command.needed.cloud_tokens);
  BudgetChanged answer{.limits = leased_, .refusal = {}};
  if (leased_ == before) {
    const std::int64_t total = lease.total.usd ? lease.total.usd->count() : 0;
    answer.refusal = Refusal{.scope = "process",
                             .axis = Axis::kUsd,
                             .limit = total,
                             .spent = total,
                             .held = 0,
                             .asked = command.needed.usd.count()};
  }
  post(lease.delay, std::move(answer));
}

void World::Impl::carry_out(const FinishQuery& command) {
  Query& query = query_of(command.query);
  --unfinished_;
  query.is_over = true;
  end_ = now_;
  const RunRecord& record = scheduler_->record(command.query);
  const bool is_answered =
      command.outcome == Outcome::kAnswered || command.outcome == Outcome::kDegraded;
  if (is_answered && record.sink && index_of(*record.sink) < query.outputs.size()) {
    query.is_right = query.outputs[index_of(*record.sink)].is_right;
  }
  for (const std::size_t follower : query.followers) come(follower);
}

}  // namespace hf::sim
