// What a person sees while a question is worked on: the plan growing, who does what, the answer as
// it streams, one closing line.
//
// On a terminal the plan is redrawn in place; elsewhere `verbose` gives plain lines. The plan goes
// to standard error and the answer to standard output, so that a pipe gets only the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/receipt.h"
#include "net/event_loop.h"
#include "runtime/runtime.h"

namespace hf::cli {

enum class Display : std::uint8_t {
  kLive,    // Redrawn in place, answer streamed.
  kPlain,   // One line an event, answer streamed.
  kSilent,  // Nothing but what the caller prints at the end.
};

class LiveView : public QueryListener {
 public:
  struct Style {
    Display display = Display::kLive;
    bool colour = true;
  };

  LiveView(net::EventLoop& loop, std::vector<Endpoint> endpoints, Style style,
           std::move_only_function<void(const Receipt&)> finished);

  void on_gate(const GateVerdict& verdict) override;
  void on_step(const PlannedStep& step) override;
  void on_plan_end(const PlanEnd& end, std::span<const std::string> repairs) override;
  void on_call_start(const StartCall& call, const RunRecord& record) override;
  void on_call_text(CallId call, std::string_view text) override;
  void on_change(const RunRecord& record) override;
  void on_answer_text(std::string_view text) override;
  void on_answer_restart() override;
  void on_finish(Receipt receipt) override;

 private:
  struct Row {
    std::string label;
    std::string role;
    std::string task;
    std::string waits_for;
    std::string place;  // Endpoint, once decided.
    Tier tier = Tier::kEdge;
    SubtaskState state = SubtaskState::kWaiting;
    std::uint32_t tokens = 0;  // Pieces received by the call that runs now.
    TimePoint started{};
    TimePoint first_token{};
    Duration took{};
    PicoUsd usd;
  };

  void redraw();
  void erase_region();
  void show_end(const Receipt& receipt);
  [[nodiscard]] std::string news_of(const Row& row) const;
  [[nodiscard]] std::string row_text(const Row& row, std::size_t width) const;
  [[nodiscard]] std::vector<const Row*> rows_to_show(std::size_t most) const;
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
  void say(const std::string& line);
  void end_answer_line();
  [[nodiscard]] std::string place_of(EndpointId endpoint) const;

  net::EventLoop& loop_;
  const std::vector<Endpoint> endpoints_;
  const Style style_;
  std::move_only_function<void(const Receipt&)> finished_;
  std::string heading_;
  std::vector<Row> rows_;  // By SubtaskId.
  std::map<CallId, std::size_t> row_of_call_;
  std::size_t drawn_lines_ = 0;
  TimePoint drawn_at_{};
  bool is_answering_ = false;
  std::size_t answer_printed_ = 0;
  std::string said_meanwhile_;  // Lines for after the answer, which may end in the middle of one.
};

// "2 edge + 3 cloud calls, 1840 edge and 611 cloud tokens, $0.0023 …": the closing line.
std::string summary_line(const Receipt& receipt);

}  // namespace hf::cli
