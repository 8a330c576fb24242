#include "cli/ledger.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "config/config.h"
#include "store/lease_store.h"
#include "store/schema.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

namespace fs = std::filesystem;
namespace json = wire::json;

std::string dollars(std::int64_t pico) {
  return wire::usd_text(PicoUsd(pico));
}

std::string tokens(std::int64_t count) {
  return fmt::format("{}", count);
}

std::string words_for(const Amounts& amounts) {
  return fmt::format("{} USD and {} cloud tokens", dollars(amounts.usd.count()),
                     amounts.cloud_tokens.count());
}

std::string_view word_for(store::OwnerState state) {
  switch (state) {
    case store::OwnerState::kAlive:
      return "alive";
    case store::OwnerState::kDead:
      return "dead";
    case store::OwnerState::kElsewhere:
      break;
  }
  return "elsewhere";
}

// One axis of a scope.
struct AxisView {
  std::optional<std::int64_t> limit;
  std::int64_t spent;
  std::int64_t leased;

  [[nodiscard]] std::optional<std::int64_t> left() const {
    if (!limit) return std::nullopt;
    // Each term is at most the limit, so that no difference overflows.
    return std::max<std::int64_t>(*limit - std::min(*limit, spent) - std::min(*limit, leased), 0);
  }
};

AxisView usd_of(const store::ScopeRow& row) {
  return {row.usd_limit ? std::optional(row.usd_limit->count()) : std::nullopt,
          row.spent.usd.count(), row.leased.usd.count()};
}

AxisView tokens_of(const store::ScopeRow& row) {
  return {row.tokens_limit ? std::optional(row.tokens_limit->count()) : std::nullopt,
          row.spent.cloud_tokens.count(), row.leased.cloud_tokens.count()};
}

json::value optional_json(const std::optional<std::int64_t>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object to_json(const AxisView& axis) {
  return {{"limit", optional_json(axis.limit)},
          {"spent", axis.spent},
          {"leased", axis.leased},
          {"left", optional_json(axis.left())}};
}

json::object to_json(const Amounts& amounts) {
  return {{"pico_usd", amounts.usd.count()}, {"cloud_tokens", amounts.cloud_tokens.count()}};
}

json::object to_json(const store::LeaseReport& report) {
  json::array calls;
  for (const store::CallRow& call : report.calls) {
    calls.push_back({{"id", std::to_underlying(call.id)}, {"worst", to_json(call.worst)}});
  }
  const store::LeaseRow& lease = report.lease;
  return {{"id", lease.id},
          {"scope", report.scope},
          {"taken_at", lease.taken_at},
          {"owner", {{"pid", lease.owner.pid}, {"state", word_for(report.owner_state)}}},
          {"left", to_json(lease.left)},
          {"window", to_json(lease.window)},
          {"settled", to_json(lease.settled)},
          {"settled_calls", lease.calls_settled},
          {"open_calls", std::move(calls)}};
}

std::optional<std::string> parent_of(const store::Report& report, const store::ScopeRow& scope) {
  for (const store::ScopeRow& row : report.scopes) {
    if (row.id == scope.parent) return row.name;
  }
  return std::nullopt;
}

void show_json(const fs::path& path, const store::Report& report) {
  json::array scopes;
  for (const store::ScopeRow& row : report.scopes) {
    const auto parent = parent_of(report, row);
    scopes.push_back({{"name", row.name},
                      {"parent", parent ? json::value(*parent) : json::value(nullptr)},
                      {"created_at", row.created_at},
                      {"pico_usd", to_json(usd_of(row))},
                      {"cloud_tokens", to_json(tokens_of(row))}});
  }
  json::array leases;
  for (const store::LeaseReport& lease : report.leases) leases.push_back(to_json(lease));
  print_json({{"version", 1},
              {"store", path.string()},
              {"scopes", std::move(scopes)},
              {"leases", std::move(leases)}});
}

void print_axis(std::string_view name, std::string_view unit, const AxisView& axis,
                std::string (*text)(std::int64_t)) {
  const auto or_none = [&](const std::optional<std::int64_t>& value) {
    return value ? text(*value) : "none";
  };
  fmt::print("{:<28} {:<6} {:>14} {:>14} {:>14} {:>14}\n", name, unit, or_none(axis.limit),
             text(axis.spent), text(axis.leased), or_none(axis.left()));
}

std::string heading(const store::LeaseReport& report) {
  return fmt::format("lease {} on {}: process {}, {}", report.lease.id, report.scope,
                     report.lease.owner.pid, word_for(report.owner_state));
}

void show_text(const fs::path& path, const store::Report& report) {
  fmt::print("{}\n\n{:<28} {:<6} {:>14} {:>14} {:>14} {:>14}\n", path.string(), "scope", "in",
             "limit", "spent", "leased", "left");
  for (const store::ScopeRow& row : report.scopes) {
    const auto parent = parent_of(report, row);
    print_axis(row.name, "USD", usd_of(row), dollars);
    print_axis(parent ? "  below " + *parent : "", "tokens", tokens_of(row), tokens);
  }
  for (const store::LeaseReport& each : report.leases) {
    const store::LeaseRow& lease = each.lease;
    fmt::print("\n{}, since {:%Y-%m-%d %H:%M:%S} UTC\n", heading(each),
               fmt::gmtime(static_cast<std::time_t>(lease.taken_at)));
    fmt::print("  holds {}\n  has settled {} calls for {}\n", words_for(lease.left),
               lease.calls_settled, words_for(lease.settled));
    for (const store::CallRow& call : each.calls) {
      fmt::print("  call {} is open: at most {}\n", std::to_underlying(call.id),
                 words_for(call.worst));
    }
  }
  if (report.leases.empty()) fmt::print("\nno open leases\n");
}

int show_ledger(store::LeaseStore& ledger, const fs::path& path, bool as_json) {
  const auto report = ledger.report();
  if (!report) return complain(report.error().message, kFailed);
  if (as_json) {
    show_json(path, *report);
  } else {
    show_text(path, *report);
  }
  return kAnswered;
}

int reconcile(store::LeaseStore& ledger, const fs::path& path, const LedgerOptions& options) {
  const auto resolved = ledger.reconcile(options.elsewhere ? store::Resolve::kDeadAndElsewhere
                                                           : store::Resolve::kDead);
  if (!resolved) return complain(resolved.error().message, kFailed);
  json::array list;
  for (const store::Reconciled& each : *resolved) {
    if (options.json) {
      list.push_back({{"lease", to_json(each.was)},
                      {"booked", to_json(each.booked)},
                      {"returned", to_json(each.returned)}});
    } else {
      fmt::print("{}: booked {} as spent, returned {}\n", heading(each.was), words_for(each.booked),
                 words_for(each.returned));
    }
  }
  if (options.json) {
    print_json({{"version", 1}, {"store", path.string()}, {"reconciled", std::move(list)}});
  } else if (resolved->empty()) {
    fmt::print("nothing to reconcile: no lease has a dead owner\n");
  }
  return kAnswered;
}

}  // namespace

Result<fs::path> ledger_path(const LedgerPlace& place) {
  if (!place.store.empty()) return place.store;
  if (!place.config.empty()) {
    // Which keys its endpoints need does not matter here.
    const Environment set_or_not = [](const std::string& name) {
      return std::optional(process_environment()(name).value_or("unset"));
    };
    HF_TRY(const Config config, load_config(place.config, set_or_not));
    if (config.ledger && !config.ledger->path.empty()) return config.ledger->path;
  }
  return store::default_ledger_path([](const char* name) { return std::getenv(name); });
}

Result<void> expect_ledger(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return fail(Code::kUnavailable,
                fmt::format("there is no ledger at {}; it is made when a budget that lasts or a "
                            "key is first used",
                            path.string()));
  }
  if (fs::is_regular_file(path, error) && fs::file_size(path, error) == 0) {
    return fail(Code::kUnavailable,
                fmt::format("{} is no ledger but an empty file; check the path", path.string()));
  }
  return {};
}

int run_ledger(const LedgerOptions& options) {
  const auto path = ledger_path(options.place);
  if (!path) return complain_of(path.error());
  const auto found = expect_ledger(*path);
  if (!found) return complain_of(found.error());
  const auto ledger = store::LeaseStore::open({.path = *path, .clock = nullptr});
  if (!ledger) return complain(ledger.error().message, kFailed);
  return options.action == LedgerAction::kShow ? show_ledger(**ledger, *path, options.json)
                                               : reconcile(**ledger, *path, options);
}

}  // namespace hf::cli
