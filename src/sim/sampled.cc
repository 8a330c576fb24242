#include "sim/sampled.h"

#include <algorithm>
#include <cmath>

namespace hf::sim {
namespace {

using std::chrono::milliseconds;

// Purposes of random streams.
constexpr std::uint64_t kCrashes = 1;
constexpr std::uint64_t kJumps = 2;
constexpr std::uint64_t kCalls = 3;
constexpr std::uint64_t kRight = 4;
constexpr std::uint64_t kDeaths = 5;
constexpr std::uint64_t kWrites = 6;
constexpr std::uint64_t kAgain = 7;
constexpr std::uint64_t kSignals = 8;

// Between two crashes, and two jumps of the clock: something must get done.
constexpr Duration kRest = std::chrono::seconds(1);

// How soon an endpoint says no.
constexpr Duration kNo = milliseconds(20);
constexpr Duration kUnreachable = milliseconds(1);

// Words around what a prompt consists of, in tokens; far below what is reserved for them.
constexpr std::int64_t kPromptTokens = 120;
constexpr std::int64_t kBytesPerToken = 4;

std::uint64_t job_of(const CallView& call) {
  return call.start.kind == CallKind::kPlanner ? 0 : index_of(call.start.subtask) + 1;
}

void fail_early(Course& course, Failure failure, Duration end) {
  course.failure = failure;
  course.end = end;
  course.first_token.reset();
  course.is_billable = false;
  course.output_bytes = 0;
  course.told.reset();
  course.usage_fault.reset();
}

}  // namespace

Sampled::Sampled(const WorldFile& file, std::uint64_t seed)
    : file_(file),
      seed_(seed),
      jumps_(mix(seed ^ mix(kJumps))),
      deaths_(mix(seed ^ mix(kDeaths))),
      writes_(mix(seed ^ mix(kWrites))) {
  for (std::size_t i = 0; i < file.endpoints.size(); ++i) {
    places_.push_back({.crashes = Rng(mix(mix(seed ^ mix(kCrashes)) + i)), .recent = {}});
  }
}

Course Sampled::course(const CallView& call) {
  const EndpointModel& model = file_.endpoints[index_of(call.start.endpoint)];
  std::uint64_t key = mix(seed_ ^ mix(kCalls));
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(call.query.id), job_of(call),
        std::uint64_t{index_of(call.start.endpoint)}, std::uint64_t{call.nth}}) {
    key = mix(key ^ part);
  }
  Rng rng(key);
  Course course;
  play_out(model, call, rng, course);
  garnish(model, call, rng, course);
  if (call.is_down) {
    fail_early(course, Failure::kRefused, kUnreachable);
    course.fault = Fault::kCrash;
  } else if (const auto wait = wait_for_turn(call)) {
    fail_early(course, Failure::kRateLimited, kNo);
    course.retry_after = wait;
    course.fault = Fault::kRateLimitedTold;
  }
  return course;
}

// A sliding minute; refused requests do not count.
std::optional<Duration> Sampled::wait_for_turn(const CallView& call) {
  constexpr Duration kMinute = std::chrono::minutes(1);
  const EndpointModel& model = file_.endpoints[index_of(call.start.endpoint)];
  if (model.requests_per_minute == 0) return std::nullopt;
  std::deque<TimePoint>& recent = places_[index_of(call.start.endpoint)].recent;
  while (!recent.empty() && call.now - recent.front() >= kMinute) recent.pop_front();
  if (recent.size() >= model.requests_per_minute) return recent.front() + kMinute - call.now;
  recent.push_back(call.now);
  return std::nullopt;
}

std::optional<Fault> Sampled::ending_fault(const EndpointModel& model, Rng& rng) const {
  double luck = rng.unit();
  for (std::size_t i = 0; i < kEndingFaults; ++i) {
    if (luck < model.faults[i]) return static_cast<Fault>(i);
    luck -= model.faults[i];
  }
  return std::nullopt;
}

// One draw a subtask, whoever does it: the better endpoint is right wherever the other one is.
bool Sampled::is_right(const EndpointModel& model, const CallView& call) const {
  const std::uint64_t key =
      mix(seed_ ^ mix(kRight)) ^ mix(static_cast<std::uint64_t>(call.query.id));
  Rng rng(mix(key + job_of(call)));
  double chance = model.right;
  if (call.step == nullptr) chance *= file_.whole_right;
  if (!call.is_well_informed) chance *= file_.spoiled_right;
  return rng.unit() < chance;
}

// Right answers are the more confident ones, not always.
Signals Sampled::signals_of(const CallView& call, bool is_right) const {
  Rng rng(mix(seed_ ^ mix(kSignals)) ^ mix(static_cast<std::uint64_t>(call.start.call)));
  Signals signals;
  signals.mean_logprob = -(is_right ? 0.4 : 1.0) * rng.unit();
  return signals;
}

void Sampled::play_out(const EndpointModel& model, const CallView& call, Rng& rng, Course& course) {
  Duration first = model.first_token.duration(rng);
  Duration inter = model.inter_token.duration(rng);
  if (!model.recorded.empty()) {
    const Latency& latency = model.recorded[rng.below(model.recorded.size())];
    first = latency.first_token;
    inter = latency.inter_token;
  }
  const double length = file_.graphs.length.number(rng);
  const std::optional<Fault> fault = ending_fault(model, rng);
  course.fault = fault;
  if (fault == Fault::kSlow) first += file_.slow_by.duration(rng);

  Usage& usage = course.so_far;  // All of it, until the end is known.
  std::int64_t bytes = call.query.question_bytes + call.input_bytes;
  std::int64_t tokens = 0;
  if (call.plan != nullptr) {
    tokens = 20 + 30 * static_cast<std::int64_t>(call.plan->steps.size());
    course.end = first + std::max(call.plan->end, call.plan->call_end);
    course.plan_begins = first;
  } else {
    const Tokens planned = call.step != nullptr ? call.step->subtask.expected : call.query.expected;
    if (call.step != nullptr) bytes += call.step->task_bytes;
    tokens = std::llround(static_cast<double>(planned.count()) * length);
  }
  const std::int64_t most = call.start.max_tokens.count();
  course.is_cut_by_length = call.plan == nullptr && tokens > most;
  tokens = std::clamp<std::int64_t>(tokens, 1, most);
  if (call.plan == nullptr) course.end = first + inter * (tokens - 1) + Duration(1);
  course.first_token = first;
  usage.prompt = Tokens(kPromptTokens + bytes / kBytesPerToken);
  usage.completion = Tokens(tokens);
  course.told = usage;
  course.output_bytes = static_cast<std::uint32_t>(tokens * kBytesPerToken);
  course.is_right = is_right(model, call);
  course.signals = signals_of(call, course.is_right);
  if (fault) break_off(model, *fault, rng, course, inter);

  if (course.failure == Failure::kNone && first > model.first_token_timeout) {
    fail_early(course, Failure::kFirstTokenTimeout, model.first_token_timeout);
    course.is_billable = true;
  }
  if (course.end > model.total_timeout) {
    course.failure = Failure::kTotalTimeout;
    course.end = model.total_timeout;
    course.told.reset();
  }
  usage.completion = Tokens(usage.completion.count() / 2);
}

void Sampled::break_off(const EndpointModel& model, Fault fault, Rng& rng, Course& course,
                        Duration inter_token) {
  const Duration first = *course.first_token;
  // Somewhere between the first token and the last.
  const Duration middle =
      first + Duration(static_cast<std::int64_t>(static_cast<double>((course.end - first).count()) *
                                                 rng.unit()));
  const auto stop = [&](Failure failure, Duration end) {
    course.failure = failure;
    course.end = end;
    course.told.reset();
    course.output_bytes /= 2;
  };
  switch (fault) {
    case Fault::kRefused:
      return fail_early(course, Failure::kRefused, kUnreachable);
    case Fault::kRejected:
      return fail_early(course, Failure::kRejected, kNo);
    case Fault::kRateLimitedTold:
      course.retry_after = milliseconds(rng.below(4000));
      [[fallthrough]];
    case Fault::kRateLimited:
      return fail_early(course, Failure::kRateLimited, kNo);
    case Fault::kOverloaded:
      return fail_early(course, Failure::kOverloaded, kNo);
    case Fault::kServer:
      return fail_early(course, Failure::kServer, first);
    case Fault::kConnectTimeout:
      return fail_early(course, Failure::kConnectTimeout, model.connect_timeout);
    case Fault::kStall:
      course.plan_stops = middle;
      return stop(Failure::kGapTimeout, middle + inter_token + model.gap_timeout);
    case Fault::kCut:
      return stop(Failure::kCut, middle);
    case Fault::kMalformed:
      return stop(Failure::kMalformed, middle);
    default:
      return;
  }
}

// What may be added to any course: what it tells of its cost, and what follows its end.
void Sampled::garnish(const EndpointModel& model, const CallView& call, Rng& rng, Course& course) {
  const auto happens = [&](Fault fault) {
    return rng.unit() < model.faults[static_cast<std::size_t>(fault)];
  };
  const bool is_missing = happens(Fault::kUsageMissing);
  const bool is_wrong = happens(Fault::kUsageWrong);
  if (course.is_billable && is_missing) {
    course.told.reset();
    course.usage_fault = Fault::kUsageMissing;
  } else if (course.is_billable && is_wrong) {
    const auto most = static_cast<std::uint64_t>(call.start.max_tokens.count()) * 8;
    const auto tokens = [&] { return Tokens(static_cast<std::int64_t>(rng.below(most))); };
    course.told = Usage{.prompt = tokens(), .cached = tokens(), .completion = tokens()};
    course.usage_fault = Fault::kUsageWrong;
  }
  if (happens(Fault::kDuplicate)) course.again = milliseconds(rng.below(300));
  course.ends_though_cancelled = happens(Fault::kLate);
  if (happens(Fault::kLateBill)) course.bill_delay = file_.bill_delay.duration(rng);
}

std::optional<Outage> Sampled::next_outage(EndpointId endpoint) {
  const EndpointModel& model = file_.endpoints[index_of(endpoint)];
  if (!model.crash_every) return std::nullopt;
  Rng& rng = places_[index_of(endpoint)].crashes;
  const Duration after = std::max(model.crash_every->duration(rng), kRest);
  return Outage{.after = after, .down = model.crash_down.duration(rng)};
}

std::optional<Death> Sampled::next_death() {
  const LedgerModel& model = file_.ledger;
  if (!model.crash_every) return std::nullopt;
  // Most often between two events, sometimes in the midst of what one leads to.
  constexpr std::uint64_t kCommandsMost = 8;
  const std::uint64_t commands = deaths_.below(2 * kCommandsMost);
  Death death;
  death.after = model.crash_every->duration(deaths_);
  death.commands =
      commands < kCommandsMost ? 0 : static_cast<std::uint32_t>(commands % kCommandsMost);
  death.is_written = deaths_.below(2) == 0;
  death.down = model.crash_down.duration(deaths_);
  death.reconcile = model.reconcile.duration(deaths_);
  return death;
}

std::optional<Duration> Sampled::asks_again(QueryId lost) {
  Rng rng(mix(mix(seed_ ^ mix(kAgain)) + static_cast<std::uint64_t>(lost)));
  if (rng.unit() >= file_.ledger.again) return std::nullopt;
  return file_.ledger.again_after.duration(rng);
}

std::optional<ClockJump> Sampled::next_jump() {
  if (!file_.jump_every) return std::nullopt;
  const Duration after = std::max(file_.jump_every->duration(jumps_), kRest);
  return ClockJump{.after = after, .by = file_.jump_by.duration(jumps_)};
}

}  // namespace hf::sim
