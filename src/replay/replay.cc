#include "replay/replay.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>
#include <variant>

#include "base/sentence.h"
#include "replay/check.h"
#include "route/router.h"
#include "schedule/scheduler.h"

namespace hf {
namespace {

constexpr TimePoint kLatest{std::chrono::hours(24 * 365 * 50)};

std::optional<QueryId> query_of(const Event& event) {
  return std::visit(
      [](const auto& each) -> std::optional<QueryId> {
        if constexpr (requires { each.query; }) return each.query;
        return std::nullopt;
      },
      event);
}

Result<void> unreadable(std::string message) {
  return fail(Code::kInvalidInput, std::move(message));
}

// Takes the log line by line. Each line is made again from what the scheduler does now, and must
// come out as it stands in the log.
class Replayer {
 public:
  explicit Replayer(const ModelSource& models) : models_(models) {}

  // Until it returns an error or `is_over`.
  Result<void> take(const std::string& line) {
    HF_TRY(const wire::LogLine read, wire::read_log_line(line));
    if (is_ended_) return unreadable("there is more behind the end of the log");
    if (std::holds_alternative<wire::LogHeader>(read) == (scheduler_ != nullptr)) {
      return unreadable(scheduler_ ? "there is a second header"
                                   : "the log does not begin with a header");
    }
    made_.clear();
    about_.clear();
    HF_CHECK(std::visit([this](const auto& each) { return on(each); }, read));
    compare(line);
    return {};
  }

  [[nodiscard]] bool is_over() const { return report_.difference.has_value(); }
  [[nodiscard]] bool is_identical() const { return report_.is_identical(); }
  [[nodiscard]] bool has_header() const { return scheduler_ != nullptr; }

  ReplayReport finish() && {
    report_.events = writer_.events();
    report_.commands = writer_.commands();
    for (const auto& [query, arrived] : arrived_) note_query(scheduler_->record(query));
    return std::move(report_);
  }

 private:
  Result<void> on(const wire::LogHeader& header) {
    HF_CHECK(check(header));
    std::shared_ptr<const learn::Model> model;
    if (!header.weights.empty()) {
      HF_TRY(model, models_(header.weights));
      if (!header.corrections.empty()) {
        auto learned = std::make_shared<learn::Model>(*model);
        HF_TRY(learned->corrections, learn::corrections_from(header.corrections));
        model = std::move(learned);
      }
    }
    HF_TRY(router_, make_router(header.policy, header.policy_options, std::move(model)));
    scheduler_ = std::make_unique<Scheduler>(header.scheduler, *router_);
    report_.header = header;
    writer_.header(header);
    about_ = "the header";
    return {};
  }

  Result<void> on(const wire::LoggedStep& step) {
    if (step.at < now_ || step.at > kLatest)
      return unreadable("its time is before that of another line, or beyond all bounds");
    now_ = step.at;
    const std::optional<QueryId> query = query_of(step.event);
    const bool is_known = query && arrived_.contains(*query);
    HF_CHECK(check(step.event, is_known ? &scheduler_->record(*query) : nullptr));
    if (std::holds_alternative<QueryArrived>(step.event)) arrived_[*query] = now_;
    commands_.clear();
    scheduler_->step(now_, step.event, commands_);
    for (const Command& command : commands_) {
      if (const auto* call = std::get_if<StartCall>(&command)) note_choice(*call);
    }
    writer_.step(now_, step.event, commands_);
    about_ = wire::words_of(step.event);
    return {};
  }

  Result<void> on(const wire::LoggedRecord& logged) {
    if (!arrived_.contains(logged.query))
      return unreadable("it is the record of a query that is not there");
    const RunRecord& record = scheduler_->record(logged.query);
    about_ = fmt::format("the record of query {}", static_cast<std::uint64_t>(logged.query));
    writer_.record(record);
    if (!record.outcome) return {};
    note_query(record);
    arrived_.erase(logged.query);
    scheduler_->forget(logged.query);
    return {};
  }

  Result<void> on(const wire::LogCut& cut) {
    report_.cut = cut.reason;
    is_ended_ = true;
    writer_.cut(cut.reason);
    return {};
  }

  Result<void> on(const wire::LogEnd& /*end*/) {
    report_.is_complete = arrived_.empty();
    is_ended_ = true;
    about_ = "the end";
    writer_.end();
    return {};
  }

  void compare(const std::string& line) {
    const auto found =
        wire::difference_of(line, std::string_view(made_).substr(0, made_.size() - 1));
    if (!found) return;
    if (found->place == "sum") {
      if (report_.changed_line == 0) report_.changed_line = writer_.lines();
      return;
    }
    report_.difference = ReplayDifference{writer_.lines(), about_, *found};
  }

  void note_choice(const StartCall& call) {
    Choice& choice = report_.choices.emplace_back();
    choice.at = now_ - arrived_.at(call.query);
    choice.call = call;
    if (call.kind == CallKind::kPlanner) return;
    choice.decision = scheduler_->record(call.query).subtasks[index_of(call.subtask)].decision;
  }

  void note_query(const RunRecord& record) {
    ReplayedQuery& query = report_.queries.emplace_back();
    query.query = record.query;
    query.outcome = record.outcome;
    query.spent = record.budget_state.spent;
    for (const CallRecord& call : record.calls) {
      const Endpoint& endpoint = report_.header.scheduler.endpoints[index_of(call.endpoint)];
      if (endpoint.tier == Tier::kEdge) query.edge_tokens += call.usage.total();
    }
  }

  const ModelSource& models_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scheduler> scheduler_;
  std::string made_;  // The line as it comes out now.
  wire::EventLogWriter writer_{made_};
  std::vector<Command> commands_;
  std::map<QueryId, TimePoint> arrived_;  // Not forgotten ones.
  TimePoint now_{};
  std::string about_;
  bool is_ended_ = false;
  ReplayReport report_;
};

enum class Read : std::uint8_t { kLine, kTornLine, kTooLong, kNothing };

Read read_line(std::istream& log, std::string& line) {
  line.clear();
  std::streambuf& bytes = *log.rdbuf();
  using Traits = std::streambuf::traits_type;
  for (auto c = bytes.sbumpc(); c != Traits::eof(); c = bytes.sbumpc()) {
    if (c == '\n') return Read::kLine;
    if (line.size() == wire::kLogLineBytesMax) return Read::kTooLong;
    line += Traits::to_char_type(c);
  }
  return line.empty() ? Read::kNothing : Read::kTornLine;
}

}  // namespace

Result<ReplayReport> replay(std::istream& log, std::string_view name, const ModelSource& models) {
  Replayer replayer(models);
  std::string line;
  std::size_t number = 0;
  const auto damaged = [&](std::string_view what) {
    return fail(Code::kInvalidInput, fmt::format("{}:{}: {}.", name, number, clause_of(what)));
  };
  while (!replayer.is_over()) {
    const Read read = read_line(log, line);
    ++number;
    if (read == Read::kNothing && number == 1) return damaged("the event log is empty");
    if (read == Read::kNothing) break;
    if (read == Read::kTooLong) return damaged("the line is too long for an event log");
    const auto taken = replayer.take(line);
    if (!taken && read == Read::kTornLine && replayer.has_header())
      return damaged(fmt::format(
          "the log is cut off in the middle of this line; {} before it",
          replayer.is_identical() ? "all is identical" : "not all is as it was recorded"));
    if (!taken) return damaged(taken.error().message);
  }
  return std::move(replayer).finish();
}

}  // namespace hf
