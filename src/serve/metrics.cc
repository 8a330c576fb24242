#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "wire/receipt_json.h"

namespace hf::serve {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Of a label: names may hold anything but control characters.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

}  // namespace

void Metrics::Histogram::add(double value) {
  const auto* const bound = std::ranges::lower_bound(kBounds, value);
  if (bound != kBounds.end()) ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
  ++count;
  sum += value;
}

void Metrics::count_run(std::string_view model, const Receipt& receipt) {
  const RunRecord& record = receipt.record;
  ++runs_[{std::string(model), record.outcome.value_or(Outcome::kUnavailable)}];
  run_seconds_.add(seconds(record.wall));
  for (const CallRecord& call : record.calls) {
    const std::string& name = receipt.endpoints[index_of(call.endpoint)].name;
    Endpoint& endpoint = endpoints_.try_emplace(name).first->second;
    ++endpoint.calls[static_cast<std::size_t>(call.status)];
    endpoint.usage += call.usage;
    endpoint.usd += call.usd;
    if (call.first_token) endpoint.first_token.add(seconds(*call.first_token - call.started));
  }
}

void Metrics::write(std::string& out, std::string_view name, std::string_view labels,
                    const Histogram& histogram) {
  const auto to = std::back_inserter(out);
  const std::string_view comma = labels.empty() ? "" : ",";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += histogram.counts[i];
    fmt::format_to(to, "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, kBounds[i], below);
  }
  fmt::format_to(to, "{}_bucket{{{}{}le=\"+Inf\"}} {}\n", name, labels, comma, histogram.count);
  const std::string braced = labels.empty() ? "" : fmt::format("{{{}}}", labels);
  fmt::format_to(to, "{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braced, histogram.sum,
                 histogram.count);
}

std::string Metrics::text(const Gauges& gauges) const {
  std::string out;
  const auto to = std::back_inserter(out);
  head(out, "hybridflow_runs_total", "counter", "Runs that are over.");
  for (const auto& [key, count] : runs_) {
    fmt::format_to(to, "hybridflow_runs_total{{model=\"{}\",outcome=\"{}\"}} {}\n",
                   escaped(key.first), wire::name_of(key.second), count);
  }
  head(out, "hybridflow_refusals_total", "counter", "Requests that no run was begun for.");
  for (const auto& [code, count] : refusals_)
    fmt::format_to(to, "hybridflow_refusals_total{{code=\"{}\"}} {}\n", code, count);
  head(out, "hybridflow_run_seconds", "histogram", "From a request's arrival to its last byte.");
  write(out, "hybridflow_run_seconds", "", run_seconds_);

  head(out, "hybridflow_calls_total", "counter", "Calls of endpoints that are over.");
  for (const auto& [name, endpoint] : endpoints_) {
    constexpr std::array<std::string_view, 4> kStatus{"running", "done", "failed", "cancelled"};
    for (std::size_t i = 1; i < kStatus.size(); ++i) {
      fmt::format_to(to, "hybridflow_calls_total{{endpoint=\"{}\",status=\"{}\"}} {}\n",
                     escaped(name), kStatus[i], endpoint.calls[i]);
    }
  }
  head(out, "hybridflow_tokens_total", "counter", "Tokens as they were booked.");
  for (const auto& [name, endpoint] : endpoints_) {
    for (const auto& [kind, tokens] :
         {std::pair("prompt", endpoint.usage.prompt), std::pair("cached", endpoint.usage.cached),
          std::pair("completion", endpoint.usage.completion)}) {
      fmt::format_to(to, "hybridflow_tokens_total{{endpoint=\"{}\",kind=\"{}\"}} {}\n",
                     escaped(name), kind, tokens.count());
    }
  }
  head(out, "hybridflow_usd_total", "counter", "Dollars as they were booked.");
  for (const auto& [name, endpoint] : endpoints_) {
    fmt::format_to(to, "hybridflow_usd_total{{endpoint=\"{}\"}} {}\n", escaped(name),
                   wire::usd_text(endpoint.usd));
  }
  head(out, "hybridflow_first_token_seconds", "histogram", "Of each call, from its start.");
  for (const auto& [name, endpoint] : endpoints_) {
    write(out, "hybridflow_first_token_seconds", fmt::format("endpoint=\"{}\"", escaped(name)),
          endpoint.first_token);
  }
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    head(out, name, "gauge", help);
    fmt::format_to(to, "{} {}\n", name, value);
  };
  gauge("hybridflow_runs_in_flight", "Runs that are under way.", gauges.runs_in_flight);
  gauge("hybridflow_draining", "1 once the server is about to end.", gauges.is_draining ? 1 : 0);
  gauge("hybridflow_start_time_seconds", "Unix time of the start.", gauges.started);
  head(out, "hybridflow_history_dropped_total", "counter", "Runs that the disk was too slow for.");
  fmt::format_to(to, "hybridflow_history_dropped_total {}\n", gauges.history_dropped + not_kept_);
  return out;
}

}  // namespace hf::serve
