// What clients may see of runs, and what they may say of them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/number.h"
#include "eval/run_rows.h"
#include "serve/server.h"
#include "wire/hybrid_reply.h"
#include "wire/receipt_json.h"

namespace hf::serve {
namespace {

constexpr std::int64_t kListMax = 100;

const Problem kNoSuchRun{404, "run_not_found", "There is no such run, or not any more.", ""};

// A parameter of a query string, without percent-decoding: ids and numbers need none.
std::string_view parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return pair.substr(name.size() + 1);
  }
  return "";
}

wire::RunLine line_of(const FinishedRun& run) {
  const Receipt& receipt = *run.receipt;
  const wire::Totals totals = wire::totals_of(receipt);
  return {
      .run = receipt.run,
      .created = run.created,
      .model = run.model,
      .key = run.owner,
      .outcome = std::string(wire::name_of(receipt.record.outcome.value_or(Outcome::kUnavailable))),
      .usd = totals.usd,
      .tokens = totals.edge_tokens + totals.cloud_tokens};
}

wire::RunLine line_of(const store::RunRow& row) {
  return {.run = row.id,
          .created = row.at,
          .model = "",
          .key = row.key,
          .outcome = row.outcome,
          .usd = row.usd,
          .tokens = row.tokens};
}

// Cuts a list to its page and says whether there is more.
std::string page_of(std::vector<wire::RunLine> lines, std::int64_t limit) {
  std::ranges::sort(lines, std::ranges::greater(), &wire::RunLine::run);
  const auto [first, last] = std::ranges::unique(lines, {}, &wire::RunLine::run);
  lines.erase(first, last);
  const bool has_more = lines.size() > static_cast<std::size_t>(limit);
  if (has_more) lines.resize(static_cast<std::size_t>(limit));
  return wire::write_run_list(lines, has_more);
}

}  // namespace

const Server::Run* Server::running_for(const Ask& ask) const {
  const auto found = runs_.find(ask.part);
  const bool is_seen =
      found != runs_.end() && Access::may_see(ask.caller, found->second.caller.label);
  return is_seen ? &found->second : nullptr;
}

const FinishedRun* Server::finished_for(const Ask& ask) const {
  const FinishedRun* const found = book_.find(ask.part);
  return found != nullptr && Access::may_see(ask.caller, found->owner) ? found : nullptr;
}

void Server::list_runs(const Ask& ask) {
  std::int64_t limit = 20;
  const std::string_view asked = parameter(ask.request.query, "limit");
  if (!asked.empty()) {
    limit = parse_number<std::int64_t>(asked).value_or(0);
    if (limit < 1 || limit > kListMax) {
      return refuse(ask.responder, {400, "invalid_value",
                                    "'limit' must be a whole number from 1 to 100.", "limit"});
    }
  }
  const std::string before(parameter(ask.request.query, "before"));
  const auto is_meant = [&](std::string_view run, std::string_view owner) {
    return (before.empty() || run < before) && Access::may_see(ask.caller, owner);
  };
  std::vector<wire::RunLine> lines;
  for (const auto& [name, run] : runs_) {
    if (!is_meant(name, run.caller.label)) continue;
    const ClientRun::Options& options = run.client->options();
    lines.push_back({.run = name,
                     .created = options.created,
                     .model = options.model,
                     .key = run.caller.label,
                     .outcome = "running",
                     .usd = {},
                     .tokens = {}});
  }
  for (const FinishedRun& run : book_.runs()) {
    if (is_meant(run.receipt->run, run.owner)) lines.push_back(line_of(run));
  }
  if (options_.keeper == nullptr || lines.size() > static_cast<std::size_t>(limit))
    return ask.responder->send(200, kJson, page_of(std::move(lines), limit));
  store::RunStore::Page page{.count = limit + 1, .before = before, .key = {}};
  if (ask.caller.key != 0) page.key = ask.caller.label;
  options_.keeper->ask([page, limit, lines = std::move(lines),
                        responder = ask.responder](store::RunStore& store) mutable {
    const auto rows = store.latest(page);
    if (rows) {
      // Those that are in memory come first: their lines say more.
      for (const store::RunRow& row : *rows) lines.push_back(line_of(row));
    }
    return [body = page_of(std::move(lines), limit), responder = std::move(responder)] {
      responder->send(200, kJson, body);
    };
  });
}

void Server::show_run(const Ask& ask) {
  if (const FinishedRun* const run = finished_for(ask))
    return ask.responder->send(200, kJson, wire::to_text(wire::receipt_json(*run->receipt)));
  if (running_for(ask) != nullptr)
    return ask.responder->send(200, kJson, wire::write_run_state(ask.part, "running"));
  if (options_.keeper == nullptr) return refuse(ask.responder, kNoSuchRun);
  options_.keeper->ask([this, run = std::string(ask.part), caller = ask.caller,
                        responder = ask.responder](store::RunStore& store) mutable {
    auto row = store.find(run);
    const bool is_seen =
        row && row->id == run && Access::may_see(caller, row->key);  // Not only its beginning.
    return [this, is_seen, body = is_seen ? std::move(row->receipt) : std::string(),
            responder = std::move(responder)] {
      if (is_seen) return responder->send(200, kJson, body);
      refuse(responder, kNoSuchRun);
    };
  });
}

void Server::cancel_run(const Ask& ask) {
  if (running_for(ask) != nullptr) {
    cancel(std::string(ask.part));
    return ask.responder->send(202, kJson, wire::write_run_state(ask.part, "cancelling"));
  }
  if (finished_for(ask) != nullptr)
    return refuse(ask.responder, {409, "run_is_over", "The run is over already.", ""});
  refuse(ask.responder, kNoSuchRun);
}

void Server::follow_run(const Ask& ask) {
  const auto found = runs_.find(ask.part);
  if (found != runs_.end() && running_for(ask) != nullptr)
    return found->second.client->feed().follow(ask.responder);
  const FinishedRun* const run = finished_for(ask);
  if (run == nullptr) return refuse(ask.responder, kNoSuchRun);
  RunFeed over;
  over.follow(ask.responder);
  over.end([run] {
    return fmt::format(R"({{"type":"end","summary":{}}})",
                       wire::write_run_summary(*run->receipt, {}));
  });
}

void Server::take_feedback(const Ask& ask) {
  auto read = wire::read_feedback(ask.request.body);
  if (!read) {
    wire::RequestFault& fault = read.error();
    return refuse(ask.responder,
                  {400, std::move(fault.code), std::move(fault.message), std::move(fault.param)});
  }
  if (running_for(ask) != nullptr) {
    return refuse(ask.responder,
                  {409, "run_is_not_over", "The run is under way; say so when it is over.", ""});
  }
  if (options_.keeper == nullptr) {
    return refuse(ask.responder, {409, "history_is_off",
                                  "Runs are not kept here ([history] in the configuration), so "
                                  "nothing can be noted.",
                                  ""});
  }
  options_.keeper->ask([this, run = std::string(ask.part), caller = ask.caller,
                        feedback = *std::move(read), now = unix_time(),
                        responder = ask.responder](store::RunStore& store) mutable {
    const auto row = store.find(run);
    const bool is_seen = row && row->id == run && Access::may_see(caller, row->key);
    Result<std::string> noted = fail(Code::kInvalidInput, "");
    if (is_seen) noted = eval::take_feedback(store, run, feedback.subtask, feedback.correct, now);
    return [this, is_seen, noted = std::move(noted), responder = std::move(responder)] {
      if (!is_seen) return refuse(responder, kNoSuchRun);
      if (!noted)
        return refuse(responder, {409, "nothing_to_judge", noted.error().message + ".", ""});
      responder->send(200, kJson, wire::write_noted(*noted));
    };
  });
}

}  // namespace hf::serve
