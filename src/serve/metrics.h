// Counts for GET /metrics, in Prometheus' text format (version 0.0.4).
//
// Label values are names from the configuration or of this program; nothing a client writes gets
// in. Thread safety: the loop's thread only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/receipt.h"

namespace hf::serve {

class Metrics {
 public:
  // A request that was answered without a run.
  void count_refusal(std::string_view code) { ++refusals_[std::string(code)]; }
  // A run that is not in the history: there were too many at once.
  void count_not_kept() { ++not_kept_; }
  // A run that is over. `model`: as the client called it, one of the server's names.
  void count_run(std::string_view model, const Receipt& receipt);

  struct Gauges {
    std::size_t runs_in_flight = 0;
    std::uint64_t history_dropped = 0;  // Besides `count_not_kept`.
    std::int64_t started = 0;           // Unix seconds.
    bool is_draining = false;
  };
  [[nodiscard]] std::string text(const Gauges& gauges) const;

 private:
  // Seconds.
  static constexpr std::array kBounds{0.005, 0.01, 0.025, 0.05, 0.1,  0.25,  0.5,  1.0,
                                      2.5,   5.0,  10.0,  30.0, 60.0, 120.0, 300.0};
  struct Histogram {
    std::array<std::uint64_t, kBounds.size()> counts{};  // Up to each bound, not cumulative.
    std::uint64_t count = 0;
    double sum = 0;
    void add(double seconds);
  };
  struct Endpoint {
    std::array<std::uint64_t, 4> calls{};  // By CallStatus.
    Usage usage;
    PicoUsd usd;
    Histogram first_token;
  };
  static void write(std::string& out, std::string_view name, std::string_view labels,
                    const Histogram& histogram);

  std::map<std::string, std::uint64_t, std::less<>> refusals_;
  std::map<std::pair<std::string, Outcome>, std::uint64_t> runs_;  // By model and outcome.
  std::map<std::string, Endpoint, std::less<>> endpoints_;
  Histogram run_seconds_;
  std::uint64_t not_kept_ = 0;
};

}  // namespace hf::serve
