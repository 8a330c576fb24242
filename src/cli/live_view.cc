#include "cli/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/output.h"
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

// The program's own text, with its colours and movements.
void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

struct Mark {
  std::string_view sign;
  std::string_view colour;
};

Mark mark_of(SubtaskState state) {
  switch (state) {
    case SubtaskState::kWaiting:
    case SubtaskState::kReady:
      return {"·", kDim};
    case SubtaskState::kRunning:
      return {"▸", kYellow};
    case SubtaskState::kDone:
      return {"✓", kGreen};
    case SubtaskState::kFailed:
      return {"✗", kRed};
    case SubtaskState::kSkipped:
    case SubtaskState::kPruned:
      break;
  }
  return {"-", kDim};
}

// Widths of the cells of a row, without the space before each; 0: left out.
struct Cells {
  std::size_t label = 0;
  std::size_t role = 0;
  std::size_t task = 0;
  std::size_t place = 0;
  std::size_t news = 0;
};

// What matters least goes first when the room is short: the role, the place, the news.
Cells lay_out(std::size_t width) {
  constexpr std::size_t kTaskLeast = 20;
  std::size_t left = width - std::min<std::size_t>(width, 1);  // After the mark.
  const auto take = [&left](std::size_t cell, std::size_t keep) -> std::size_t {
    if (left < cell + 1 + keep) return 0;
    left -= cell + 1;
    return cell;
  };
  Cells cells;
  cells.label = take(3, 0);
  cells.news = take(29, kTaskLeast + 1);
  if (cells.news == 0) cells.news = take(13, kTaskLeast + 1);
  cells.place = take(11, kTaskLeast + 1);
  cells.role = take(8, kTaskLeast + 1);
  cells.task = left > 1 ? left - 1 : 0;
  return cells;
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
  if (style_.display != Display::kPlain) return;
  said_meanwhile_ += fmt::format("{:7.3f}s {}\n", to_seconds(loop_.now().time_since_epoch()), line);
  if (answer_printed_ == 0) show(stderr, std::exchange(said_meanwhile_, {}));
}

void LiveView::end_answer_line() {
  show(stdout, "\n");
  std::fflush(stdout);
  answer_printed_ = 0;
  show(stderr, std::exchange(said_meanwhile_, {}));
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
                  decision ? decision->reason.view() : ""));
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
      say(fmt::format("step {} done in {:.2f}s, ${}", row.label, to_seconds(row.took),
                      wire::usd_text(row.usd)));
    if (row.state == SubtaskState::kFailed || row.state == SubtaskState::kSkipped)
      say(fmt::format("step {} not done: {}", row.label, subtask.why_not_done));
  }
  redraw();
}

std::string LiveView::news_of(const Row& row) const {
  switch (row.state) {
    case SubtaskState::kWaiting:
      return row.waits_for.empty() ? "ready" : "waits for " + row.waits_for;
    case SubtaskState::kReady:
      return "ready";
    case SubtaskState::kRunning: {
      const double since = to_seconds(loop_.now() - row.first_token);
      if (row.tokens > 1 && since > 0)
        return fmt::format("{} tok, {:.0f} tok/s", row.tokens, (row.tokens - 1) / since);
      return row.tokens > 0 ? "writing" : "started";
    }
    case SubtaskState::kDone: {
      std::string news = fmt::format("{} tok in {:.1f}s", row.tokens, to_seconds(row.took));
      if (row.usd > PicoUsd(0)) news += " $" + wire::usd_text(row.usd);
      return news;
    }
    case SubtaskState::kFailed:
      return "failed";
    case SubtaskState::kSkipped:
      return "skipped";
    case SubtaskState::kPruned:
      return "not needed";
  }
  return "";
}

std::string LiveView::row_text(const Row& row, std::size_t width) const {
  const Cells cells = lay_out(width);
  const Mark mark = mark_of(row.state);
  std::string text = width > 0 ? paint(mark.colour, mark.sign) : "";
  const auto add = [&](std::string_view cell, std::size_t cell_width, std::string_view colour) {
    if (cell_width == 0) return;
    const std::string fitted = fit(cell, cell_width);
    text += " " + (colour.empty() ? fitted : paint(colour, fitted));
  };
  add(row.label, cells.label, "");
  add(row.role, cells.role, "");
  add(row.task, cells.task, "");
  add(row.place, cells.place, row.tier == Tier::kCloud ? kBlue : kGreen);
  add(news_of(row), cells.news, "");
  return text;
}

// All rows if there is room; else those that are over give way first, then the last ones.
std::vector<const LiveView::Row*> LiveView::rows_to_show(std::size_t most) const {
  std::size_t surplus = rows_.size() - std::min(most, rows_.size());
  std::vector<const Row*> shown;
  for (const Row& row : rows_) {
    const bool is_open = row.state == SubtaskState::kWaiting || row.state == SubtaskState::kReady ||
                         row.state == SubtaskState::kRunning;
    if (is_open || surplus == 0) {
      shown.push_back(&row);
    } else {
      --surplus;
    }
  }
  shown.resize(std::min(most, shown.size()));
  return shown;
}

void LiveView::erase_region() {
  if (drawn_lines_ > 0) put(fmt::format("\033[{}A\033[J", drawn_lines_));
  drawn_lines_ = 0;
}

void LiveView::redraw() {
  if (style_.display != Display::kLive || is_answering_) return;
  erase_region();
  const Screen screen = screen_size();
  // The last column would wrap, the last line scroll.
  const std::size_t width = screen.width - 1;
  const std::size_t lines = std::max<std::size_t>(screen.height, 2) - 1;
  const std::vector<const Row*> rows = rows_to_show(lines - 1);
  const std::string heading =
      rows.size() == rows_.size()
          ? heading_
          : fmt::format("{} ({} of {} shown)", heading_, rows.size(), rows_.size());
  std::string region = paint(kBold, fit(heading, width)) + "\n";
  for (const Row* row : rows) region += row_text(*row, width) + "\n";
  put(region);
  drawn_lines_ = rows.size() + 1;
  drawn_at_ = loop_.now();
}

void LiveView::on_answer_text(std::string_view text) {
  if (style_.display == Display::kSilent) return;
  if (!is_answering_) {
    redraw();
    is_answering_ = true;
    if (style_.display == Display::kLive) put("\n");
  }
  show(stdout, text);
  std::fflush(stdout);
  answer_printed_ += text.size();
}

void LiveView::on_answer_restart() {
  if (answer_printed_ == 0) return;
  end_answer_line();
  put(paint(kRed, "(that attempt broke off; once more from the start)") + "\n");
}

void LiveView::on_finish(Receipt receipt) {
  on_change(receipt.record);
  show_end(receipt);
  finished_(receipt);
}

void LiveView::show_end(const Receipt& receipt) {
  if (style_.display == Display::kSilent) return;
  if (!receipt.answer.empty() && answer_printed_ == 0) on_answer_text(receipt.answer);
  if (answer_printed_ > 0) end_answer_line();
  for (const std::string& reason : receipt.record.degraded) {
    put(paint(kYellow, "degraded: " + (style_.colour ? printable(reason) : reason)) + "\n");
  }
  put(paint(kDim, summary_line(receipt)) + "\n");
}

std::string summary_line(const Receipt& receipt) {
  const wire::Totals totals = wire::totals_of(receipt);
  const bool has_lab = std::ranges::any_of(receipt.endpoints, &Endpoint::lab);
  std::string line = fmt::format("{} edge + {} cloud calls, {} edge and {} cloud tokens, ${}",
                                 totals.edge_calls, totals.cloud_calls, totals.edge_tokens.count(),
                                 totals.cloud_tokens.count(), wire::usd_text(totals.usd));
  if (receipt.record.budget.usd)
    line += fmt::format(" of ${}", wire::usd_text(*receipt.record.budget.usd));
  line += fmt::format(", {:.1f} s", to_seconds(receipt.record.wall));
  if (totals.all_cloud_usd)
    line += fmt::format("; all-cloud: ${}", wire::usd_text(*totals.all_cloud_usd));
  if (has_lab) line += " (lab prices)";
  return line;
}

}  // namespace hf::cli
