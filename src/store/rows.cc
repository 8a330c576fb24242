#include "store/rows.h"

#include <fmt/format.h>

#include <utility>

#include "base/rng.h"
#include "store/amounts.h"

namespace hf::store {
namespace {

constexpr std::size_t kDepthMax = 64;

constexpr std::string_view kScopeColumns =
    "SELECT id, name, parent, usd_limit, tokens_limit, usd_spent, tokens_spent, usd_leased, "
    "tokens_leased, created_at, seal FROM scope ";
constexpr std::string_view kLeaseColumns =
    "SELECT id, scope, usd_left, tokens_left, usd_window, tokens_window, usd_open, tokens_open, "
    "usd_settled, tokens_settled, calls_settled, pid, born, boot, pid_space, taken_at, seal "
    "FROM lease ";

class Seal {
 public:
  explicit Seal(std::uint64_t kind) : state_(mix(kind)) {}

  Seal& add(std::int64_t value) {
    state_ = mix(state_ ^ static_cast<std::uint64_t>(value));
    return *this;
  }
  Seal& add(std::optional<std::int64_t> value) {
    return add(std::int64_t{value.has_value()}).add(value.value_or(0));
  }
  Seal& add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    for (const char c : text) add(std::int64_t{c});
    return *this;
  }
  Seal& add(const Amounts& amounts) {
    return add(amounts.usd.count()).add(amounts.cloud_tokens.count());
  }
  [[nodiscard]] std::int64_t value() const { return static_cast<std::int64_t>(state_); }

 private:
  std::uint64_t state_;
};

std::int64_t seal_of(const ScopeRow& row) {
  return Seal(1)
      .add(row.id)
      .add(row.name)
      .add(row.parent)
      .add(count_of(row.usd_limit))
      .add(count_of(row.tokens_limit))
      .add(row.spent)
      .add(row.leased)
      .add(row.created_at)
      .value();
}

std::int64_t seal_of(const LeaseRow& row) {
  return Seal(2)
      .add(row.id)
      .add(row.scope)
      .add(row.left)
      .add(row.window)
      .add(row.open)
      .add(row.settled)
      .add(row.calls_settled)
      .add(row.owner.pid)
      .add(row.owner.born)
      .add(row.owner.boot)
      .add(row.owner.pid_space)
      .add(row.taken_at)
      .value();
}

Amounts amounts_at(const Rows& rows, int column) {
  return {PicoUsd(rows.integer(column)), Tokens(rows.integer(column + 1))};
}

Result<ScopeRow> scope_at(const Database& database, const Rows& rows) {
  ScopeRow row;
  row.id = rows.integer(0);
  row.name = rows.text(1);
  row.parent = rows.optional_integer(2);
  row.usd_limit = limit_of<PicoUsd>(rows.optional_integer(3));
  row.tokens_limit = limit_of<Tokens>(rows.optional_integer(4));
  row.spent = amounts_at(rows, 5);
  row.leased = amounts_at(rows, 7);
  row.created_at = rows.integer(9);
  if (rows.integer(10) != seal_of(row)) {
    return std::unexpected(database.damaged(fmt::format("scope {} was altered", row.id)));
  }
  return row;
}

Result<LeaseRow> lease_at(const Database& database, const Rows& rows) {
  LeaseRow row;
  row.id = rows.integer(0);
  row.scope = rows.integer(1);
  row.left = amounts_at(rows, 2);
  row.window = amounts_at(rows, 4);
  row.open = amounts_at(rows, 6);
  row.settled = amounts_at(rows, 8);
  row.calls_settled = rows.integer(10);
  row.owner = {.pid = rows.integer(11),
               .born = rows.integer(12),
               .boot = rows.text(13),
               .pid_space = rows.text(14)};
  row.taken_at = rows.integer(15);
  if (rows.integer(16) != seal_of(row)) {
    return std::unexpected(database.damaged(fmt::format("lease {} was altered", row.id)));
  }
  return row;
}

template <class Row>
using Decode = Result<Row> (*)(const Database&, const Rows&);

template <class Row, class... Args>
Result<std::vector<Row>> rows_of(Database& database, Decode<Row> decode, const std::string& sql,
                                 const Args&... args) {
  HF_TRY(Rows rows, database.query(sql, args...));
  std::vector<Row> found;
  for (;;) {
    HF_TRY(const bool is_row, rows.next());
    if (!is_row) return found;
    HF_TRY(found.emplace_back(), decode(database, rows));
  }
}

template <class Row>
std::optional<Row> only(std::vector<Row>&& rows) {
  return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

}  // namespace

Result<std::optional<ScopeRow>> find_scope(Database& database, std::string_view name) {
  HF_TRY(auto rows, rows_of<ScopeRow>(database, scope_at,
                                      std::string(kScopeColumns) + "WHERE name = ?", name));
  return only(std::move(rows));
}

Result<std::optional<LeaseRow>> find_lease(Database& database, std::int64_t id) {
  HF_TRY(auto rows,
         rows_of<LeaseRow>(database, lease_at, std::string(kLeaseColumns) + "WHERE id = ?", id));
  return only(std::move(rows));
}

Result<std::vector<ScopeRow>> chain_from(Database& database, std::int64_t scope) {
  static const std::string kById = std::string(kScopeColumns) + "WHERE id = ?";
  std::vector<ScopeRow> chain;
  for (std::optional<std::int64_t> id = scope; id; id = chain.back().parent) {
    HF_TRY(auto rows, rows_of<ScopeRow>(database, scope_at, kById, *id));
    if (rows.empty() || chain.size() == kDepthMax) {
      return std::unexpected(database.damaged(fmt::format("scope {} has no root", scope)));
    }
    chain.push_back(std::move(rows.front()));
  }
  return chain;
}

Result<std::vector<ScopeRow>> all_scopes(Database& database) {
  return rows_of<ScopeRow>(database, scope_at, std::string(kScopeColumns) + "ORDER BY id");
}

Result<std::vector<LeaseRow>> all_leases(Database& database) {
  return rows_of<LeaseRow>(database, lease_at, std::string(kLeaseColumns) + "ORDER BY id");
}

Result<std::vector<CallRow>> calls_of(Database& database, std::int64_t lease) {
  const auto decode = +[](const Database&, const Rows& rows) -> Result<CallRow> {
    return CallRow{static_cast<CallId>(rows.integer(0)), amounts_at(rows, 1)};
  };
  return rows_of<CallRow>(database, decode,
                          "SELECT id, usd, tokens FROM call WHERE lease = ? ORDER BY id", lease);
}

Result<void> save(Database& database, ScopeRow& row) {
  if (row.id == 0) {
    HF_TRY(row.id, database.number("SELECT coalesce(max(id), 0) + 1 FROM scope"));
    HF_CHECK(database.run("INSERT INTO scope VALUES (?, ?, ?, NULL, NULL, 0, 0, 0, 0, ?, 0)",
                          row.id, std::string_view(row.name), row.parent, row.created_at));
  }
  return database.run(
      "UPDATE scope SET usd_limit = ?, tokens_limit = ?, usd_spent = ?, tokens_spent = ?, "
      "usd_leased = ?, tokens_leased = ?, seal = ? WHERE id = ?",
      count_of(row.usd_limit), count_of(row.tokens_limit), row.spent.usd.count(),
      row.spent.cloud_tokens.count(), row.leased.usd.count(), row.leased.cloud_tokens.count(),
      seal_of(row), row.id);
}

Result<void> save(Database& database, LeaseRow& row) {
  if (row.id == 0) {
    // AUTOINCREMENT never gives an id twice, so that nobody settles in a stranger's lease.
    HF_CHECK(
        database.run("INSERT INTO lease VALUES (NULL, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', "
                     "'', 0, 0)",
                     row.scope));
    row.id = database.last_insert_id();
  }
  return database.run(
      "UPDATE lease SET scope = ?, usd_left = ?, tokens_left = ?, usd_window = ?, "
      "tokens_window = ?, usd_open = ?, tokens_open = ?, usd_settled = ?, tokens_settled = ?, "
      "calls_settled = ?, pid = ?, born = ?, boot = ?, pid_space = ?, taken_at = ?, seal = ? "
      "WHERE id = ?",
      row.scope, row.left.usd.count(), row.left.cloud_tokens.count(), row.window.usd.count(),
      row.window.cloud_tokens.count(), row.open.usd.count(), row.open.cloud_tokens.count(),
      row.settled.usd.count(), row.settled.cloud_tokens.count(), row.calls_settled, row.owner.pid,
      row.owner.born, std::string_view(row.owner.boot), std::string_view(row.owner.pid_space),
      row.taken_at, seal_of(row), row.id);
}

Result<void> erase(Database& database, const LeaseRow& lease) {
  HF_CHECK(database.run("DELETE FROM call WHERE lease = ?", lease.id));
  return database.run("DELETE FROM lease WHERE id = ?", lease.id);
}

Result<void> book(Database& database, std::int64_t scope, const Amounts& spent,
                  const Amounts& leased) {
  HF_TRY(auto chain, chain_from(database, scope));
  for (ScopeRow& row : chain) {
    row.spent = plus(row.spent, spent);
    row.leased += leased;
    HF_CHECK(save(database, row));
  }
  return {};
}

}  // namespace hf::store
