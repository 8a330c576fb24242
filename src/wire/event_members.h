// The members of all that goes into the scheduler, comes out of it, and stays in its records.
#pragma once

#include "model/receipt.h"
#include "route/router.h"
#include "schedule/event.h"
#include "schedule/scheduler.h"
#include "wire/members.h"

namespace hf::wire {

// What a scheduler is made from.
HF_MEMBERS(Price, prompt, cached, completion);
HF_MEMBERS(Endpoint, name, tier, price, max_in_flight, lab, is_local);
HF_MEMBERS(RetryPolicy, attempts_max, base, cap, told_max);
HF_MEMBERS(BreakerPolicy, failures_max, cool_down);
HF_MEMBERS(SparOptions, second_price, explore, attempts, slack, resolve, online, calibration);
HF_MEMBERS(PolicyOptions, cloud_share, threshold, rise, difficulty, is_tuned, spar);
HF_MEMBERS(Scheduler::Options, endpoints, planner, process, is_process_leased, retry, breaker,
           plan_max_tokens, subtask_max_tokens, sink_max_tokens, prompt_overhead_bytes,
           input_overhead_bytes, plan_overhead_bytes, queries_max, fallback, hedge, hedge_floor);

// Events.
HF_MEMBERS(Budget, usd, cloud_tokens, deadline);
HF_MEMBERS(TaskFeatures, words, numbers, operators, choices, code, foreign, difficulty, category,
           edge_text, cloud_text);
HF_MEMBERS(Subtask, role, relies_on, expected);
HF_MEMBERS(Usage, prompt, cached, completion);
HF_MEMBERS(Signals, mean_logprob, low_logprob, margin);
HF_MEMBERS(AccountOpened, account, name, limits, is_leased, parent);
HF_MEMBERS(AccountClosed, account);
HF_MEMBERS(QueryArrived, query, budget, plan, plan_given, local_only, question_bytes, features,
           seed, among, answer_tokens, account, is_forwarded, is_cap_fixed);
HF_MEMBERS(StepParsed, query, id, subtask, task_bytes, features);
HF_MEMBERS(PlanEnded, query, outcome, sink, pruned);
HF_MEMBERS(CallFirstToken, call);
HF_MEMBERS(CallDone, call, usage, output_bytes, cut_by_length, has_answer, signals);
HF_MEMBERS(CallFailed, call, failure, detail, retry_after, usage, billable, output_bytes);
HF_MEMBERS(TimerFired, timer);
HF_MEMBERS(CancelAsked, query);
HF_MEMBERS(Refusal, scope, axis, limit, spent, held, asked, trouble);
HF_MEMBERS(BudgetChanged, account, limits, refusal);

// Commands.
HF_MEMBERS(Amounts, usd, cloud_tokens);
HF_MEMBERS(StartCall, call, query, kind, prompt, subtask, endpoint, max_tokens, inputs, give_up,
           priority, is_attempt, worst, lease);
HF_MEMBERS(CancelCall, call);
HF_MEMBERS(SetTimer, timer, at);
HF_MEMBERS(WantBudget, account, needed);
HF_MEMBERS(Booked, account, call, amounts);
HF_MEMBERS(FinishQuery, query, outcome);

// Records.
HF_MEMBERS(BudgetState, usd_limit, cloud_tokens_limit, spent, held);
HF_MEMBERS(Alternative, endpoint, action, chance, worth, usd, time);
HF_MEMBERS(Decision, endpoint, tier, action, votes, edge_chance, cloud_chance, utility, threshold,
           cost, usd_price, time_price, propensity, alternatives, reason);
HF_MEMBERS(Attempt, signals, completion, was_cut, has_answer, voters, agreeing, distinct,
           kept_share, is_first_kept);
HF_MEMBERS(CallRecord, id, kind, subtask, endpoint, status, failure, detail, started, first_token,
           finished, usage, usage_estimated, cut_by_length, signals, usd);
HF_MEMBERS(SubtaskRecord, subtask, state, decision, earlier, attempt, why_not_done, ready, started,
           finished, attempts);
HF_MEMBERS(RunRecord, query, outcome, degraded, trouble, refusal, sink, subtasks, calls, budget,
           budget_state, wall);

}  // namespace hf::wire
