#include "cli/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/utf8.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

constexpr Duration kRedrawPause = std::chrono::milliseconds(60);

constexpr std::string_view kDim = "2";
constexpr std::string_view kBold = "1";
constexpr std::string_view kGreen = "32";
constexpr std::string_view kYellow = "33";
constexpr std::string_view kBlue = "34";
constexpr std::string_view kRed = "31";

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

// Number of characters; good enough for columns of Latin text.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

// `text` in exactly `width` columns. Control characters are shown as spaces, because a model wrote
// this text and must not steer the terminal.
std::string fit(std::string_view text, std::size_t width) {
  std::string fitted = repair_utf8(text);
  std::ranges::replace_if(
      fitted, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  if (columns(fitted) > width) {
    std::size_t end = 0;
    for (std::size_t shown = 0; end < fitted.size(); ++end) {
      if (!is_continuation(fitted[end]) && ++shown == width) break;
    }
    fitted.resize(end);
    fitted += "…";
  }
  fitted.append(width - std::min(width, columns(fitted)), ' ');
  return fitted;
}

// The answer may hold anything but terminal control sequences.
std::string printable(std::string_view text) {
  std::string shown(text);
  std::erase_if(shown, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
  });
  return shown;
}

}  // namespace

LiveView::LiveView(net::EventLoop& loop, std::vector<Endpoint> endpoints, Style style,
                   std::move_only_function<void(const Receipt&)> finished)
    : loop_(loop),
      endpoints_(std::move(endpoints)),
      style_(style),
      finished_(std::move(finished)) {}

std::string LiveView::paint(std::string_view code, std::string_view text) const {
  return style_.colour ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

std::string LiveView::place_of(EndpointId endpoint) const {
  return endpoints_[index_of(endpoint)].name;
}

void LiveView::say(const std::string& line) {
  if (style_.display == Display::kPlain)
    fmt::print(stderr, "{:7.3f}s {}\n", seconds(loop_.now().time_since_epoch()), line);
}

void LiveView::on_gate(const GateVerdict& verdict) {
  heading_ = verdict.plan ? fmt::format("planning ({})", verdict.reason)
                          : fmt::format("one piece ({})", verdict.reason);
  say(heading_);
  redraw();
}

void LiveView::on_step(const PlannedStep& step) {
  Row row;
  row.label = step.label;
  row.role = wire::name_of(step.subtask.role);
  row.task = step.task;
  for (const SubtaskId input : step.subtask.relies_on) {
    if (!row.waits_for.empty()) row.waits_for += ",";
    row.waits_for += rows_[index_of(input)].label;
  }
  say(fmt::format("step {} {} ({}){}", row.label, fit(row.task, 60), row.role,
                  row.waits_for.empty() ? "" : " relies on " + row.waits_for));
  rows_.push_back(std::move(row));
  redraw();
}

void LiveView::on_plan_end(const PlanEnd& end, std::span<const std::string> repairs) {
  for (const SubtaskId pruned : end.pruned) rows_[index_of(pruned)].state = SubtaskState::kPruned;
  for (const std::string& repair : repairs) say("plan repaired: " + repair);
  const auto running = std::ranges::count(rows_, SubtaskState::kPruned, &Row::state);
  heading_ =
      end.outcome == PlanOutcome::kUseless
          ? fmt::format("the plan was of no use ({})", end.fault)
          : fmt::format("plan of {} steps{}", rows_.size() - static_cast<std::size_t>(running),
                        repairs.empty() ? "" : fmt::format(", {} repairs", repairs.size()));
  say(heading_);
  redraw();
}

void LiveView::on_call_start(const StartCall& call, const RunRecord& record) {
  if (call.kind == CallKind::kPlanner) {
    heading_ = fmt::format("planning on {}", place_of(call.endpoint));
    say(heading_);
    return redraw();
  }
  const std::size_t index = index_of(call.subtask);
  if (rows_.size() <= index) {
    rows_.resize(index + 1);
    rows_[index].label = fmt::format("{}", index + 1);
    rows_[index].role = "answer";
    rows_[index].task = "the whole question";
  }
  Row& row = rows_[index];
  row.state = SubtaskState::kRunning;
  row.place = place_of(call.endpoint);
  row.tier = endpoints_[index_of(call.endpoint)].tier;
  row.tokens = 0;
  row.started = loop_.now();
  row_of_call_[call.call] = index;
  const auto& decision = record.subtasks[index].decision;
  say(fmt::format("step {} starts on {} ({})", row.label, row.place,
                  decision ? decision->reason : ""));
  redraw();
}

void LiveView::on_call_text(CallId call, std::string_view /*text*/) {
  const auto found = row_of_call_.find(call);
  if (found == row_of_call_.end()) return;
  Row& row = rows_[found->second];
  if (row.tokens++ == 0) row.first_token = loop_.now();
  if (loop_.now() - drawn_at_ >= kRedrawPause) redraw();
}

void LiveView::on_change(const RunRecord& record) {
  for (std::size_t i = 0; i < rows_.size() && i < record.subtasks.size(); ++i) {
    const SubtaskRecord& subtask = record.subtasks[i];
    Row& row = rows_[i];
    const bool is_news = row.state != subtask.state;
    row.state = subtask.state;
    row.took = subtask.finished - subtask.started;
    row.usd = PicoUsd(0);
    for (const CallRecord& call : record.calls) {
      if (call.kind != CallKind::kPlanner && call.subtask && index_of(*call.subtask) == i)
        row.usd += call.usd;
    }
    if (!is_news) continue;
    if (row.state == SubtaskState::kDone)
      say(fmt::format("step {} done in {:.2f}s, ${}", row.label, seconds(row.took),
                      wire::usd_text(row.usd)));
    if (row.state == SubtaskState::kFailed || row.state == SubtaskState::kSkipped)
      say(fmt::format("step {} not done: {}", row.label, subtask.why_not_done));
  }
  redraw();
}

std::string LiveView::row_text(const Row& row) const {
  std::string mark = paint(kDim, "·");
  std::string news = row.waits_for.empty() ? "ready" : "waits for " + row.waits_for;
  switch (row.state) {
    case SubtaskState::kWaiting:
      break;
    case SubtaskState::kReady:
      news = "ready";
      break;
    case SubtaskState::kRunning: {
      mark = paint(kYellow, "▸");
      const double since = seconds(loop_.now() - row.first_token);
      news = row.tokens > 1 && since > 0
                 ? fmt::format("{} tok, {:.0f} tok/s", row.tokens, (row.tokens - 1) / since)
             : row.tokens > 0 ? "writing"
                              : "started";
      break;
    }
    case SubtaskState::kDone:
      mark = paint(kGreen, "✓");
      news = fmt::format("{} tok in {:.1f}s", row.tokens, seconds(row.took));
      if (row.usd > PicoUsd(0)) news += " $" + wire::usd_text(row.usd);
      break;
    case SubtaskState::kFailed:
      mark = paint(kRed, "✗");
      news = "failed";
      break;
    case SubtaskState::kSkipped:
      mark = paint(kDim, "-");
      news = "skipped";
      break;
    case SubtaskState::kPruned:
      mark = paint(kDim, "-");
      news = "not needed";
      break;
  }
  constexpr std::size_t kFixed = 2 + 4 + 9 + 12 + 30 + 4;
  const std::size_t task_width = style_.width > kFixed + 20 ? style_.width - kFixed : 20;
  return fmt::format(
      "{} {} {} {} {} {}", mark, fit(row.label, 3), fit(row.role, 8), fit(row.task, task_width),
      paint(row.tier == Tier::kCloud ? kBlue : kGreen, fit(row.place, 11)), fit(news, 29));
}

void LiveView::erase_region() {
  if (drawn_lines_ > 0) fmt::print(stderr, "\033[{}A\033[J", drawn_lines_);
  drawn_lines_ = 0;
}

void LiveView::redraw() {
  if (style_.display != Display::kLive || is_answering_) return;
  erase_region();
  std::string region = paint(kBold, fit(heading_, style_.width - 1)) + "\n";
  for (const Row& row : rows_) region += row_text(row) + "\n";
  fmt::print(stderr, "{}", region);
  std::fflush(stderr);
  drawn_lines_ = rows_.size() + 1;
  drawn_at_ = loop_.now();
}

void LiveView::on_answer_text(std::string_view text) {
  if (style_.display == Display::kSilent) return;
  if (!is_answering_) {
    redraw();
    is_answering_ = true;
    if (style_.display == Display::kLive) fmt::print(stderr, "\n");
  }
  fmt::print("{}", printable(text));
  std::fflush(stdout);
  answer_printed_ += text.size();
}

void LiveView::on_answer_restart() {
  if (answer_printed_ == 0) return;
  fmt::print("\n");
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", paint(kRed, "(that attempt broke off; once more from the start)"));
  answer_printed_ = 0;
}

void LiveView::on_finish(const Receipt& receipt) {
  on_change(receipt.record);
  show_end(receipt);
  finished_(receipt);
}

void LiveView::show_end(const Receipt& receipt) {
  if (style_.display == Display::kSilent) return;
  if (!receipt.answer.empty() && answer_printed_ == 0) on_answer_text(receipt.answer);
  if (answer_printed_ > 0) fmt::print("\n");
  std::fflush(stdout);
  for (const std::string& reason : receipt.record.degraded) {
    fmt::print(stderr, "{}\n", paint(kYellow, "degraded: " + reason));
  }
  fmt::print(stderr, "{}\n", paint(kDim, summary_line(receipt)));
}

std::string summary_line(const Receipt& receipt) {
  const wire::Totals totals = wire::totals_of(receipt);
  const bool has_lab = std::ranges::any_of(receipt.endpoints, &Endpoint::lab);
  std::string line = fmt::format("{} edge + {} cloud calls, {} edge and {} cloud tokens, ${}",
                                 totals.edge_calls, totals.cloud_calls, totals.edge_tokens.count(),
                                 totals.cloud_tokens.count(), wire::usd_text(totals.usd));
  if (receipt.record.budget.usd)
    line += fmt::format(" of ${}", wire::usd_text(*receipt.record.budget.usd));
  line += fmt::format(", {:.1f} s", seconds(receipt.record.wall));
  if (totals.all_cloud_usd)
    line += fmt::format("; all-cloud: ${}", wire::usd_text(*totals.all_cloud_usd));
  if (has_lab) line += " (lab prices)";
  return line;
}

}  // namespace hf::cli
