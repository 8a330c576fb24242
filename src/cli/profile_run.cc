#include "cli/profile_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <memory>
#include <utility>

#include "cli/ask.h"
#include "eval/grade.h"
#include "learn/split.h"
#include "plan/prompts.h"
#include "route/answer.h"
#include "wire/outcome_lines.h"

namespace hf::cli {
namespace {

// So that loading a model is not counted as the time of the first task.
constexpr std::string_view kWarmUpQuestion = "What is 1 + 1?";

bool fits(const Budget& limits, const Amounts& amounts) {
  return (!limits.usd || amounts.usd <= *limits.usd) &&
         (!limits.cloud_tokens || amounts.cloud_tokens <= *limits.cloud_tokens);
}

bool is_answered(const Receipt& receipt) {
  return receipt.record.outcome == Outcome::kAnswered ||
         receipt.record.outcome == Outcome::kDegraded;
}

Amounts spent_on(const Receipt& receipt, Tier tier) {
  Amounts spent;
  for (const CallRecord& call : receipt.record.calls) {
    spent.usd += call.usd;
    if (tier == Tier::kCloud) spent.cloud_tokens += call.usage.total();
  }
  return spent;
}

// All that its calls took; the signals are those of the call that answered.
ArmOutcome arm_of(const Endpoint& endpoint, const Receipt& receipt, std::string_view gold) {
  ArmOutcome arm{.endpoint = endpoint.name,
                 .tier = endpoint.tier,
                 .correct = eval::grade(receipt.answer, gold),
                 .prompt = {},
                 .completion = {},
                 .usd = {},
                 .output = final_answer(receipt.answer),
                 .signals = {}};
  const auto& calls = receipt.record.calls;
  Duration finished{};
  for (const CallRecord& call : calls) {
    arm.prompt += call.usage.prompt;
    arm.completion += call.usage.completion;
    arm.usd += call.usd;
    finished = std::max(finished, call.finished);
    if (call.status == CallStatus::kDone) arm.signals = call.signals.value_or(Signals{});
  }
  if (!calls.empty()) arm.seconds = to_seconds(finished - calls.front().started);
  return arm;
}

// Whether the arm can be written as an outcome line.
bool is_sane(const ArmOutcome& arm) {
  const auto is_count = [](Tokens tokens) {
    return tokens >= Tokens(0) && tokens <= Tokens(wire::kOutcomeTokensMax);
  };
  const auto usd_max = static_cast<std::int64_t>(wire::kOutcomeUsdMax) * kPicoPerUsd;
  return is_count(arm.prompt) && is_count(arm.completion) && arm.usd >= PicoUsd(0) &&
         arm.usd <= PicoUsd(usd_max);
}

class Profiler {
 public:
  Profiler(net::EventLoop& loop, const ProfileJob& job, ProfileListener& listener)
      : loop_(loop), job_(job), listener_(listener) {}

  Result<void> open(const RuntimeOptions& options) {
    for (const EndpointConfig& arm : job_.arms) {
      Config config = job_.config;
      config.endpoints = {arm};
      config.planner = EndpointId{};
      config.policy = arm.endpoint.tier == Tier::kEdge ? "edge" : "cloud";
      config.process_budget = job_.budget;
      HF_TRY(auto runtime, Runtime::create(loop_, std::move(config), options));
      runtimes_.push_back(std::move(runtime));
    }
    return {};
  }

  ProfileState run() {
    const auto has_engine = [](const EndpointConfig& arm) { return arm.engine.has_value(); };
    const bool warms_up = std::ranges::any_of(job_.arms, has_engine);
    loop_.post([this, warms_up] {
      if (!warms_up) return start_tasks();
      flights_.emplace_back(*this, nullptr);
      put(flights_.back());
    });
    loop_.run();
    return state_;
  }

  // Ctrl-C: what runs is cancelled, and its costs are still taken in.
  void interrupt() {
    stop(ProfileEnd::kInterrupted, "it was interrupted");
    for (Flight& flight : flights_) {
      if (flight.query) runtimes_[flight.arm]->cancel(*flight.query);
    }
    end_if_idle();
  }

 private:
  // One task on its way through the endpoints.
  struct Flight final : QueryListener {
    Flight(Profiler& its_owner, const wire::Task* its_task) : owner(its_owner), task(its_task) {}

    void on_finish(Receipt receipt) override {
      // Later: this flight may be at its end then.
      owner.loop_.post([this, receipt = std::move(receipt)] { owner.take(*this, receipt); });
    }

    Profiler& owner;
    const wire::Task* task;  // Null: warms up the engines.
    std::size_t arm = 0;
    std::optional<QueryId> query;
    Amounts lent;
    std::vector<ArmOutcome> arms;
  };

  [[nodiscard]] const Endpoint& endpoint_of(const Flight& flight) const {
    return job_.arms[flight.arm].endpoint;
  }

  void start_tasks() {
    while (!is_stopping_ && next_ < job_.tasks.size() && flights_.size() < job_.jobs) {
      flights_.emplace_back(*this, &job_.tasks[next_++]);
      put(flights_.back());
    }
    end_if_idle();
  }

  void end_if_idle() {
    if (is_stopping_) std::erase_if(flights_, [](const Flight& flight) { return !flight.query; });
    if (flights_.empty()) loop_.stop();
  }

  void stop(ProfileEnd end, std::string why) {
    if (is_stopping_) return;
    is_stopping_ = true;
    state_.end = end;
    state_.trouble = std::move(why);
  }

  // ---- one query ----

  // Puts the task to the flight's arm, or leaves it waiting for what others are lent.
  void put(Flight& flight) {
    while (flight.task == nullptr && !job_.arms[flight.arm].engine) ++flight.arm;
    const EndpointConfig& arm = job_.arms[flight.arm];
    const std::string_view question = flight.task ? flight.task->question : kWarmUpQuestion;
    const Amounts once = worst_of_task(job_.config, arm.endpoint, question);
    const std::int64_t attempts = job_.config.attempts_max;
    Amounts wanted{once.usd * attempts, once.cloud_tokens * attempts};
    const Budget rest = left();
    if (!fits(rest, wanted) && lent_ != Amounts{}) return;
    if (rest.usd) wanted.usd = std::min(wanted.usd, *rest.usd);
    if (rest.cloud_tokens) {
      wanted.cloud_tokens = std::min(wanted.cloud_tokens, *rest.cloud_tokens);
    }
    flight.lent = wanted;
    lent_ += wanted;

    UserQuery query;
    query.question = question;
    query.plan = PlanMode::kNever;
    query.budget = job_.config.query_budget;
    const auto lower = [](auto& limit, auto most) { limit = std::min(limit.value_or(most), most); };
    if (rest.usd) lower(query.budget.usd, wanted.usd);
    if (rest.cloud_tokens) lower(query.budget.cloud_tokens, wanted.cloud_tokens);
    query.seed = learn::stable_hash(question, job_.seed);
    flight.query = runtimes_[flight.arm]->submit(std::move(query), flight);
  }

  // What is neither spent nor lent.
  [[nodiscard]] Budget left() const {
    Budget rest = job_.budget;
    if (rest.usd) rest.usd = std::max(PicoUsd(0), *rest.usd - state_.spent.usd - lent_.usd);
    if (rest.cloud_tokens) {
      const Tokens used = state_.spent.cloud_tokens + lent_.cloud_tokens;
      rest.cloud_tokens = std::max(Tokens(0), *rest.cloud_tokens - used);
    }
    return rest;
  }

  void take(Flight& flight, const Receipt& receipt) {
    state_.spent += spent_on(receipt, endpoint_of(flight).tier);
    lent_ -= flight.lent;
    flight.lent = {};
    flight.query.reset();
    if (flight.task == nullptr) {
      take_warm_up(flight);
    } else if (is_answered(receipt)) {
      take_answer(flight, receipt);
    } else if (receipt.record.outcome == Outcome::kRefused && !is_refused_alone(flight)) {
      stop(ProfileEnd::kOverBudget, receipt.record.trouble);
    } else if (receipt.record.outcome != Outcome::kCancelled || !is_stopping_) {
      take_failure(flight, receipt.record.trouble);
    }
    if (is_stopping_) return end_if_idle();
    for (Flight& waiting : flights_) {
      if (!waiting.query) put(waiting);
    }
    if (!is_warming_up()) start_tasks();
  }

  void take_warm_up(Flight& flight) {
    do {
      ++flight.arm;
    } while (flight.arm < job_.arms.size() && !job_.arms[flight.arm].engine);
    if (flight.arm == job_.arms.size()) drop(flight);
  }

  void take_answer(Flight& flight, const Receipt& receipt) {
    flight.arms.push_back(arm_of(endpoint_of(flight), receipt, flight.task->answer));
    if (!is_sane(flight.arms.back())) {
      return take_failure(flight, "what the endpoint says it has used cannot be true");
    }
    if (++flight.arm < job_.arms.size()) return;
    OutcomeRow row;
    row.query = flight.task->id;
    row.category = flight.task->category;
    row.text = flight.task->question;
    row.arms = std::move(flight.arms);
    drop(flight);
    ++state_.done;
    failures_in_row_ = 0;
    if (!listener_.on_row(row, state_)) stop(ProfileEnd::kStopped, "its line could not be written");
  }

  void take_failure(Flight& flight, const std::string& trouble) {
    ++state_.failed;
    ++failures_in_row_;
    const std::string& where = endpoint_of(flight).name;
    listener_.on_failure(*flight.task, fmt::format("{}: {}", where, trouble), state_);
    drop(flight);
    if (failures_in_row_ < kFailuresInRowMax) return;
    stop(ProfileEnd::kGaveUp, fmt::format("{} tasks failed one after another", failures_in_row_));
  }

  // Whether the limit of a single query refused it, not what all share.
  [[nodiscard]] bool is_refused_alone(const Flight& flight) const {
    const Amounts once = worst_of_task(job_.config, endpoint_of(flight), flight.task->question);
    return !fits(job_.config.query_budget, once);
  }

  [[nodiscard]] bool is_warming_up() const {
    return !flights_.empty() && flights_.front().task == nullptr;
  }

  void drop(Flight& flight) {
    flights_.remove_if([&](const Flight& each) { return &each == &flight; });
  }

  net::EventLoop& loop_;
  const ProfileJob& job_;
  ProfileListener& listener_;
  std::list<Flight> flights_;  // Outlive the runtimes, whose queries report to them.
  std::vector<std::unique_ptr<Runtime>> runtimes_;  // By arm.
  std::size_t next_ = 0;
  Amounts lent_;
  std::size_t failures_in_row_ = 0;
  bool is_stopping_ = false;
  ProfileState state_;
};

}  // namespace

Amounts worst_of_task(const Config& config, const Endpoint& endpoint, std::string_view question) {
  const auto bytes = static_cast<std::int64_t>(question.size());
  const Usage worst{.prompt = Tokens(kPromptOverheadBytes + 2 * bytes),
                    .cached = {},
                    .completion = config.answer_tokens_max};
  Usage cached = worst;
  cached.cached = worst.prompt;
  return {std::max(cost_of(endpoint.price, worst), cost_of(endpoint.price, cached)),
          endpoint.tier == Tier::kCloud ? worst.total() : Tokens(0)};
}

Result<ProfileState> profile(const ProfileJob& job, const RuntimeOptions& options,
                             ProfileListener& listener) {
  net::EventLoop loop;
  Profiler profiler(loop, job, listener);
  bool was_interrupted = false;
  loop.on_signal([&](int) {
    if (was_interrupted) std::_Exit(kInterrupted);
    was_interrupted = true;
    profiler.interrupt();
  });
  HF_CHECK(profiler.open(options));
  return profiler.run();
}

}  // namespace hf::cli
