// `hybridflow plan "question"`: what the planner makes of a question, without running it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/sentence.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/plan_parse.h"
#include "net/event_loop.h"
#include "runtime/runtime.h"

namespace hf::cli {
namespace {

class PlanWatcher final : public QueryListener {
 public:
  explicit PlanWatcher(net::EventLoop& loop) : loop_(loop) {}

  void on_plan_end(const PlanEnd& end, std::span<const std::string> /*repairs*/) override {
    end_ = end;
  }
  void on_finish(Receipt receipt) override {
    receipt_ = std::move(receipt);
    loop_.stop();
  }

  [[nodiscard]] const std::optional<PlanEnd>& end() const { return end_; }
  [[nodiscard]] const Receipt& receipt() const { return receipt_; }

 private:
  net::EventLoop& loop_;
  std::optional<PlanEnd> end_;
  Receipt receipt_;
};

// An endpoint that failed is a better reason than the empty plan that came of it.
std::string fault_of(const Receipt& receipt, const PlanEnd& end) {
  const auto& calls = receipt.record.calls;
  const bool has_failed = !calls.empty() && calls.back().failure != Failure::kNone;
  return has_failed && !calls.back().detail.empty() ? calls.back().detail : end.fault;
}

}  // namespace

int run_plan(const PlanOptions& options) {
  if (!options.parse.empty()) return run_plan_parse(options.parse, options.format);
  const auto config = configure(options.config);
  if (!config) return complain(config.error().message, kBadUsage);
  auto question = read_question(options.question);
  if (!question) return complain(question.error().message, kBadUsage);
  const auto paths = runtime_options();
  if (!paths) return complain(paths.error().message, kFailed);

  net::EventLoop loop;
  std::move_only_function<void()> cancel;  // There before anything has to be settled.
  loop.on_signal([&cancel](int) { cancel(); });
  const auto runtime = Runtime::create(loop, *config, *paths);
  if (!runtime) return complain(runtime.error().message, kBadUsage);
  say_without_cloud(options.config, *config);
  PlanWatcher watcher(loop);
  UserQuery query;
  query.question = *std::move(question);
  query.plan = PlanMode::kAlways;
  query.only_plan = true;
  query.budget = config->query_budget;
  const QueryId id = (*runtime)->submit(std::move(query), watcher);
  cancel = [&runtime, id] { (*runtime)->cancel(id); };
  loop.run();

  const Receipt& receipt = watcher.receipt();
  if (!watcher.end()) {
    if (receipt.record.outcome == Outcome::kCancelled) return kInterrupted;
    return complain(receipt.record.trouble, kUnavailable);
  }
  if (watcher.end()->outcome == PlanOutcome::kUseless) {
    return complain(fmt::format("the planner gave no usable plan: {}.",
                                clause_of(fault_of(receipt, *watcher.end()))),
                    kUnavailable);
  }
  return print_plan(receipt.steps, *watcher.end(), receipt.repairs, "planner", options.format);
}

}  // namespace hf::cli
