// How close the scheduler comes to the shortest possible time: 1,598 recorded plans with their
// durations (data/traces/asynchow.csv), on 1, 2, 4 and unlimited slots of one endpoint.
//
//   hf_bench_makespan [--every N] [--svg FILE]
//
// Beside each makespan stand the lower bound max(critical path, work / slots) and, for plans of up
// to kExactMax steps, the exact optimum. The optimum comes from a search over all orders in which
// steps can be put one by one at their earliest possible start: one of these schedules is optimal
// (Kolisch, "Serial and parallel resource-constrained project scheduling methods revisited", EJOR
// 1996).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/scheduler.h"
#include "sim/traces.h"

namespace hf {
namespace {

constexpr std::size_t kExactMax = 8;

struct Plan {
  std::vector<std::vector<std::size_t>> inputs;
  std::vector<std::int64_t> length;
};

// Tokens are the unit that the scheduler plans with; a plan's longest step gets this many.
constexpr std::int64_t kLongest = 1000;

Plan scaled(const sim::RecordedGraph& graph) {
  Plan plan;
  const std::int64_t longest = *std::ranges::max_element(graph.seconds);
  for (std::size_t i = 0; i < graph.seconds.size(); ++i) {
    auto& inputs = plan.inputs.emplace_back();
    for (const SubtaskId input : graph.inputs[i]) inputs.push_back(index_of(input));
    plan.length.push_back(std::max<std::int64_t>(
        1, graph.seconds[i] * kLongest / std::max<std::int64_t>(1, longest)));
  }
  return plan;
}

std::int64_t work_of(const Plan& plan) {
  return std::accumulate(plan.length.begin(), plan.length.end(), std::int64_t{0});
}

// The longest way from each step to the end, itself included.
std::vector<std::int64_t> tails_of(const Plan& plan) {
  std::vector<std::int64_t> tails(plan.length);
  for (std::size_t i = plan.length.size(); i-- > 0;) {
    for (const std::size_t input : plan.inputs[i])
      tails[input] = std::max(tails[input], plan.length[input] + tails[i]);
  }
  return tails;
}

std::int64_t bound_of(const Plan& plan, std::size_t slots) {
  const auto count = static_cast<std::int64_t>(slots);
  return std::max(std::ranges::max(tails_of(plan)), (work_of(plan) + count - 1) / count);
}

// The live scheduler on one endpoint whose calls take exactly their steps' lengths.
std::int64_t scheduled(const Plan& plan, std::size_t slots) {
  Scheduler::Options options;
  options.endpoints = {{.name = "edge",
                        .tier = Tier::kEdge,
                        .price = {},
                        .max_in_flight = static_cast<std::uint32_t>(slots)}};
  options.hedge = false;
  options.subtask_max_tokens = Tokens(4 * kLongest);
  options.sink_max_tokens = Tokens(4 * kLongest);
  const auto router = make_router("edge", {});
  Scheduler scheduler(options, **router);

  using Ending = std::pair<std::int64_t, CallId>;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> endings;
  std::int64_t now = 0;
  std::int64_t end = 0;
  const std::size_t sink = plan.length.size();
  std::vector<Command> commands;
  const auto send = [&](const Event& event) {
    commands.clear();
    scheduler.step(TimePoint(Duration(now)), event, commands);
    for (const Command& command : commands) {
      const auto* start = std::get_if<StartCall>(&command);
      if (start == nullptr) continue;
      const std::size_t step = index_of(start->subtask);
      if (step == sink) end = now;  // The recorded steps are done; the answer itself takes none.
      endings.emplace(now + (step == sink ? 0 : plan.length[step]), start->call);
    }
  };
  // All steps are known before any may start, as for a plan from a file: the first waits for them.
  std::vector<bool> is_leaf(sink, true);
  send(QueryArrived{.query = QueryId{1}, .plan = true, .plan_given = true, .question_bytes = 1});
  const auto add = [&](std::size_t id, Role role, const std::vector<std::size_t>& inputs,
                       std::int64_t length) {
    Subtask subtask{.role = role, .relies_on = {}, .expected = Tokens(length)};
    for (const std::size_t input : inputs)
      subtask.relies_on.push_back(static_cast<SubtaskId>(input));
    send(StepParsed{.query = QueryId{1},
                    .id = static_cast<SubtaskId>(id),
                    .subtask = std::move(subtask),
                    .task_bytes = 1,
                    .features = {}});
  };
  for (std::size_t i = 0; i < sink; ++i) {
    for (const std::size_t input : plan.inputs[i]) is_leaf[input] = false;
    add(i, Role::kAnalyze, plan.inputs[i], plan.length[i]);
  }
  std::vector<std::size_t> leaves;
  for (std::size_t i = 0; i < sink; ++i) {
    if (is_leaf[i]) leaves.push_back(i);
  }
  add(sink, Role::kGenerate, leaves, 1);
  send(PlanEnded{.query = QueryId{1}, .sink = static_cast<SubtaskId>(sink), .pruned = {}});
  while (!endings.empty()) {
    const auto [at, call] = endings.top();
    endings.pop();
    now = at;
    Usage usage;
    usage.completion = Tokens(1);
    send(CallDone{.call = call, .usage = usage, .output_bytes = 1, .signals = {}});
  }
  return end;
}

class Optimum {
 public:
  Optimum(const Plan& plan, std::size_t slots, std::int64_t known)
      : plan_(plan),
        slots_(slots),
        tails_(tails_of(plan)),
        bound_(bound_of(plan, slots)),
        best_(known),
        start_(plan.length.size(), -1) {}

  std::int64_t find() {
    place(0, 0);
    return best_;
  }

 private:
  void place(std::size_t placed, std::int64_t end) {
    if (best_ == bound_) return;
    if (placed == start_.size()) {
      best_ = std::min(best_, end);
      return;
    }
    for (std::size_t i = 0; i < start_.size(); ++i) {
      if (start_[i] >= 0) continue;
      const auto& inputs = plan_.inputs[i];
      if (!std::ranges::all_of(inputs, [&](std::size_t input) { return start_[input] >= 0; }))
        continue;
      const std::int64_t at = earliest(i);
      if (at + tails_[i] >= best_) continue;
      start_[i] = at;
      place(placed + 1, std::max(end, at + plan_.length[i]));
      start_[i] = -1;
    }
  }

  // The first time from which a slot is free for the whole of the step.
  [[nodiscard]] std::int64_t earliest(std::size_t step) const {
    std::int64_t ready = 0;
    for (const std::size_t input : plan_.inputs[step])
      ready = std::max(ready, start_[input] + plan_.length[input]);
    std::vector<std::int64_t> times{ready};
    for (std::size_t i = 0; i < start_.size(); ++i) {
      if (start_[i] >= 0 && start_[i] + plan_.length[i] > ready)
        times.push_back(start_[i] + plan_.length[i]);
    }
    std::ranges::sort(times);
    return *std::ranges::find_if(times, [&](std::int64_t at) { return fits(step, at); });
  }

  [[nodiscard]] bool fits(std::size_t step, std::int64_t at) const {
    const std::int64_t until = at + plan_.length[step];
    const auto busy_at = [&](std::int64_t time) {
      std::size_t busy = 0;
      for (std::size_t i = 0; i < start_.size(); ++i)
        busy += start_[i] >= 0 && start_[i] <= time && time < start_[i] + plan_.length[i] ? 1 : 0;
      return busy;
    };
    if (busy_at(at) >= slots_) return false;
    for (std::size_t i = 0; i < start_.size(); ++i) {
      if (start_[i] > at && start_[i] < until && busy_at(start_[i]) >= slots_) return false;
    }
    return true;
  }

  const Plan& plan_;
  const std::size_t slots_;
  const std::vector<std::int64_t> tails_;
  const std::int64_t bound_;
  std::int64_t best_;
  std::vector<std::int64_t> start_;
};

struct Ratios {
  std::vector<double> values;

  void add(std::int64_t a, std::int64_t b) {
    values.push_back(static_cast<double>(a) / static_cast<double>(b));
  }
  [[nodiscard]] double mean() const {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
  [[nodiscard]] double most() const { return std::ranges::max(values); }
  [[nodiscard]] double share_of_ones() const {
    return static_cast<double>(std::ranges::count(values, 1.0)) /
           static_cast<double>(values.size());
  }
};

// Share of plans (y) whose makespan is at most so many times the bound (x).
std::string plot(const std::map<std::string, Ratios>& curves) {
  constexpr int kWidth = 640;
  constexpr int kHeight = 360;
  constexpr int kLeft = 60;
  constexpr int kBottom = 50;
  constexpr double kMost = 1.6;
  constexpr std::array<std::string_view, 4> kColours = {"#0b84a5", "#f6a01a", "#6f4e7c", "#9dd866"};
  const auto x = [&](double ratio) {
    return kLeft + (ratio - 1) / (kMost - 1) * (kWidth - kLeft - 20);
  };
  const auto y = [&](double share) { return 20 + (1 - share) * (kHeight - kBottom - 20); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n",
      kWidth, kHeight);
  for (int i = 0; i <= 6; ++i) {
    const double ratio = 1 + 0.1 * i;
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4:.1f}</text>\n",
        x(ratio), y(0), y(1), y(0) + 18, ratio);
  }
  for (int i = 0; i <= 4; ++i) {
    const double share = 0.25 * i;
    svg += fmt::format(
        "<line x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.0f} %</text>\n",
        y(share), x(1), x(kMost), kLeft - 6, y(share) + 4, share * 100);
  }
  svg += fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">makespan / lower bound, 1,598 plans</text>\n",
      (kLeft + kWidth) / 2, kHeight - 10);
  std::size_t next = 0;
  for (const auto& [name, ratios] : curves) {
    std::vector<double> sorted = ratios.values;
    std::ranges::sort(sorted);
    const std::string_view colour = kColours[next % kColours.size()];
    std::string line;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const double at = std::min(sorted[i], kMost);
      const auto total = static_cast<double>(sorted.size());
      line += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x(at), y(static_cast<double>(i) / total),
                          x(at), y(static_cast<double>(i + 1) / total));
    }
    svg += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n"
        "<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n",
        line, colour, kWidth - 150, y(0.35) + 18.0 * static_cast<double>(next), colour, name);
    ++next;
  }
  return svg + "</svg>\n";
}

int run(std::size_t every, const std::string& svg) {
  const std::vector<sim::RecordedGraph> graphs = sim::recorded_graphs();
  std::map<std::string, Ratios> curves;
  fmt::print("{:>9} {:>6} {:>12} {:>12} {:>12} {:>7} {:>12} {:>12} {:>12}\n", "slots", "plans",
             "mean/bound", "worst/bound", "= bound", "exact", "mean/best", "worst/best", "= best");
  for (const std::size_t slots : {1U, 2U, 4U, 64U}) {
    Ratios to_bound;
    Ratios to_best;
    for (std::size_t i = 0; i < graphs.size(); i += every) {
      const Plan plan = scaled(graphs[i]);
      const std::int64_t made = scheduled(plan, slots);
      const std::int64_t bound = bound_of(plan, slots);
      if (made < bound) {
        fmt::print(stderr, "plan {} on {} slots ended after {}, before its bound {}\n", i, slots,
                   made, bound);
        return 1;
      }
      to_bound.add(made, bound);
      if (plan.length.size() > kExactMax) continue;
      to_best.add(made, made == bound ? made : Optimum(plan, slots, made).find());
    }
    const std::string name = slots == 64 ? "unlimited" : fmt::format("{}", slots);
    fmt::print("{:>9} {:>6} {:>12.4f} {:>12.3f} {:>11.1f}% {:>7} {:>12.4f} {:>12.3f} {:>11.1f}%\n",
               name, to_bound.values.size(), to_bound.mean(), to_bound.most(),
               100 * to_bound.share_of_ones(), to_best.values.size(), to_best.mean(),
               to_best.most(), 100 * to_best.share_of_ones());
    curves[name + (slots == 1 ? " slot" : " slots")] = std::move(to_bound);
  }
  if (!svg.empty()) std::ofstream(svg) << plot(curves);
  return 0;
}

}  // namespace
}  // namespace hf

int main(int argc, char** argv) {
  std::size_t every = 1;
  std::string svg;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--every") every = std::max(1UL, std::strtoul(argv[i + 1], nullptr, 10));
    if (name == "--svg") svg = argv[i + 1];
  }
  return hf::run(every, svg);
}
