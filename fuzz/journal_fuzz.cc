// Any bytes: a ledger file keeps its promise through any order of operations, a disk that fails at
// any write, crashes, power cuts and damage. In every scope, at every look:
//
//   spent + leased <= limit, but for bills beyond their worst case and limits that were lowered;
//   spent + leased >= what was billed, but for the excess of a bill that a crash has lost;
//   leased == what the leases hold; what reconciliation books and returns is what a lease held.
//
// The truth is what calls cost: a sum for each scope. A call that runs when the program dies is
// billed at its worst case, behind the program's back. A damaged file is refused with a sentence,
// or says what it said before.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "faulty_disk.h"
#include "ledger_place.h"
#include "store/amounts.h"
#include "store/lease_store.h"

namespace {

using namespace hf;
using namespace hf::store;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::array<const char*, 3> kNames{"process", "key", "session"};  // Each below the last.
constexpr int kStepsMax = 100;

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_over() const { return bytes_.empty(); }
  std::size_t byte() {
    if (bytes_.empty()) return 0;
    const std::size_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::int64_t count() {
    constexpr std::array<std::int64_t, 8> kWild{-1,        1'000,     1'000'000, kMost / 4,
                                                kMost / 2, kMost - 1, kMost,     -kMost - 1};
    const std::size_t value = byte();
    return value < 248 ? static_cast<std::int64_t>(value) : kWild[value - 248];
  }
  Amounts amounts() {
    const std::int64_t usd = count();
    return {PicoUsd(usd), Tokens(count())};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

struct Call {
  CallId id{};
  LeaseId lease{};
  std::size_t scope = 0;
  Amounts worst;
};

struct Truth {
  Amounts billed;
  Amounts bound{PicoUsd(kMost), Tokens(kMost)};  // Of spent + leased.
  Amounts excess;  // Billed beyond worst cases since the last flush; a crash may lose it.
  std::vector<Budget> limits;  // One of these.
};

Amounts bound_of(const Budget& budget) {
  return {budget.usd.value_or(PicoUsd(kMost)), budget.cloud_tokens.value_or(Tokens(kMost))};
}

// What a person sees of a ledger, without the times and owners.
std::string words_of(const Report& report) {
  std::string words;
  const auto add = [&](std::int64_t value) { words += std::to_string(value) + ' '; };
  const auto both = [&](const Amounts& amounts) {
    add(amounts.usd.count());
    add(amounts.cloud_tokens.count());
  };
  for (const ScopeRow& row : report.scopes) {
    words += row.name + ' ';
    add(row.parent.value_or(0));
    both(bound_of({row.usd_limit, row.tokens_limit, {}}));
    both(row.spent);
    both(row.leased);
  }
  for (const LeaseReport& each : report.leases) {
    words += each.scope + ' ';
    for (const Amounts& amounts : {each.lease.left, each.lease.window, each.lease.open}) {
      both(amounts);
    }
    add(static_cast<std::int64_t>(each.calls.size()));
  }
  return words;
}

class Run {
 public:
  Run(const LedgerPlace& place, Input input) : place_(place), input_(input) { open(); }

  void go() {
    for (std::size_t i = 0; i < kNames.size(); ++i)
      define(i, Budget{PicoUsd(500), Tokens(500), {}});
    for (int i = 0; i < kStepsMax && !input_.is_over(); ++i) step();
    faulty_disk::mend();
    look();
    crash();
    open();
    look();
  }

 private:
  void step() {
    switch (input_.byte() % 16) {
      case 0:
        return define_any();
      case 1:
      case 2:
        return take();
      case 3:
        return extend();
      case 4:
      case 5:
      case 6:
        return start();
      case 7:
      case 8:
        return settle();
      case 9:
        return return_part();
      case 10:
        return return_all();
      case 11:
        return look();
      case 12:
        is_well_ = false;
        return faulty_disk::fail_after(static_cast<std::int64_t>(input_.byte() % 32));
      case 13:
        return faulty_disk::mend();
      case 14:
        return reconcile();
      default:
        return die();
    }
  }

  // REQUIRES: the disk works and the file is sound.
  void open() {
    // An owner that is surely dead for reconciliation, though it is this process.
    const Owner owner{.pid = 1, .born = 1, .boot = "an earlier boot", .pid_space = "any"};
    auto store = LeaseStore::open({.path = place_.ledger(), .clock = {}, .owner = owner});
    HF_ASSERT(store.has_value());
    store_ = std::move(*store);
    is_well_ = true;
  }

  void define(std::size_t scope, const Budget& limits) {
    const auto parent = scope == 0 ? std::nullopt : std::optional<std::string>(kNames[scope - 1]);
    const bool is_valid = is_amount(bound_of(limits));
    const auto defined = store_->define({kNames[scope], parent, limits});
    HF_ASSERT(!defined || is_valid);
    HF_ASSERT(defined || !is_valid || !is_well_);
    if (!is_valid) return;
    Truth& truth = truth_[scope];
    // What could not be confirmed may be there after a crash.
    if (defined) truth.limits.clear();
    truth.limits.push_back(limits);
    truth.bound = larger(truth.bound, bound_of(limits));
  }

  void define_any() {
    const std::size_t choice = input_.byte();
    const Amounts amounts = input_.amounts();
    Budget limits;
    if ((choice & 4U) == 0) limits.usd = amounts.usd;
    if ((choice & 8U) == 0) limits.cloud_tokens = amounts.cloud_tokens;
    define(choice % kNames.size(), limits);
  }

  void check_granted(const Result<Taken>& taken, const Amounts& wanted, const Amounts& least) {
    const bool is_valid = is_amount(least) && within(least, wanted);
    HF_ASSERT(taken || !is_valid || !is_well_);
    if (!taken || !*taken) return;
    HF_ASSERT(is_valid && within(least, (*taken)->amount) && within((*taken)->amount, wanted));
  }

  void take() {
    const std::size_t scope = input_.byte() % kNames.size();
    const Amounts least = input_.amounts();
    const Amounts wanted = plus(least, input_.amounts());
    const auto taken = store_->take(kNames[scope], wanted, least);
    check_granted(taken, wanted, least);
    if (taken && *taken) HF_ASSERT(leases_.emplace((*taken)->id, scope).second);
  }

  // Any of the leases of this process, or none.
  std::map<LeaseId, std::size_t>::iterator any_lease() {
    const std::size_t choice = input_.byte();
    return leases_.empty()
               ? leases_.end()
               : std::next(leases_.begin(), static_cast<std::ptrdiff_t>(choice % leases_.size()));
  }

  void extend() {
    const auto lease = any_lease();
    const Amounts least = input_.amounts();
    const Amounts wanted = plus(least, input_.amounts());
    if (lease == leases_.end()) return;
    check_granted(store_->extend(lease->first, wanted, least), wanted, least);
  }

  void start() {
    const auto lease = any_lease();
    const Amounts worst = input_.amounts();
    if (lease == leases_.end()) return;
    const CallId id{next_call_++};
    if (!store_->started(lease->first, id, worst)) return;
    HF_ASSERT(is_amount(worst));
    calls_.push_back({id, lease->first, lease->second, worst});
  }

  void bill(std::size_t scope, const Amounts& amount) {
    for (std::size_t i = 0; i <= scope; ++i) truth_[i].billed = plus(truth_[i].billed, amount);
  }

  void settle() {
    const std::size_t choice = input_.byte();
    const Amounts actual = input_.amounts();
    if (calls_.empty()) return;
    const auto at = calls_.begin() + static_cast<std::ptrdiff_t>(choice % calls_.size());
    const Call call = *at;
    const auto settled = store_->settled(call.lease, call.id, actual);
    HF_ASSERT(settled.has_value() == is_amount(actual));
    if (!settled) return;
    calls_.erase(at);
    HF_ASSERT(!store_->settled(call.lease, call.id, actual));
    const Amounts covered = smaller(actual, call.worst);
    bill(call.scope, covered);
    for (std::size_t i = 0; i <= call.scope; ++i) {
      Truth& truth = truth_[i];
      truth.excess = plus(truth.excess, minus(actual, covered));
      truth.bound = plus(truth.bound, minus(actual, covered));
    }
  }

  void return_part() {
    const auto lease = any_lease();
    const Amounts part = input_.amounts();
    if (lease == leases_.end()) return;
    const auto returned = store_->give_back(lease->first, part);
    HF_ASSERT(!returned || is_amount(part));
  }

  void return_all() {
    const auto lease = any_lease();
    if (lease == leases_.end()) return;
    const auto returned = store_->give_back(lease->first);
    HF_ASSERT(returned || !is_well_);
    std::erase_if(calls_, [&](const Call& call) {
      if (call.lease != lease->first) return false;
      bill(call.scope, call.worst);
      return true;
    });
    HF_ASSERT(!store_->started(lease->first, CallId{next_call_++}, {}));
    leases_.erase(lease);
  }

  // Those of this run too, as if somebody took its process for dead.
  void reconcile() {
    if (!leases_.empty()) is_well_ = false;
    const auto resolved = store_->reconcile(Resolve::kDead);
    HF_ASSERT(resolved || !is_well_);
    if (!resolved) return;
    for (const Reconciled& each : *resolved) {
      HF_ASSERT(is_amount(each.booked) && is_amount(each.returned));
      HF_ASSERT(plus(each.booked, each.returned) == each.was.lease.left);
      HF_ASSERT(within(each.was.lease.open, each.booked));
    }
  }

  // Compares what the file says with the truth.
  void look() {
    const auto flushed = store_->flush();
    HF_ASSERT(flushed || !is_well_);
    const auto report = store_->report();
    HF_ASSERT(report || !is_well_);
    if (!report) return;
    HF_ASSERT(report->scopes.size() <= kNames.size());
    std::array<Amounts, kNames.size()> leased{};
    for (const LeaseReport& each : report->leases) {
      HF_ASSERT(is_amount(each.lease.left) && within(each.lease.open, each.lease.left));
      for (std::size_t i = 0; i < kNames.size(); ++i) {
        leased[i] = plus(leased[i], each.lease.left);
        if (each.scope == kNames[i]) break;
      }
    }
    for (std::size_t i = 0; i < report->scopes.size(); ++i) {
      check(report->scopes[i], truth_[i], leased[i], flushed.has_value());
    }
  }

  void check(const ScopeRow& row, Truth& truth, const Amounts& leased, bool is_flushed) {
    const Budget limits{row.usd_limit, row.tokens_limit, {}};
    HF_ASSERT(std::ranges::find(truth.limits, limits) != truth.limits.end());
    HF_ASSERT(row.leased == leased);
    const Amounts total = plus(row.spent, row.leased);
    HF_ASSERT(within(total, truth.bound));
    if (is_flushed) {
      truth.billed = plus(truth.billed, std::exchange(truth.excess, {}));
      // What passes a limit never grows by itself.
      truth.bound = larger(bound_of(limits), smaller(truth.bound, total));
    }
    HF_ASSERT(within(truth.billed, total));
  }

  // The program dies: what did not reach the disk is gone.
  void crash() {
    faulty_disk::fail_after(0);
    store_.reset();
    faulty_disk::mend();
    for (const Call& call : calls_) bill(call.scope, call.worst);
    calls_.clear();
    leases_.clear();
    for (Truth& truth : truth_) truth.excess = {};
  }

  void die() {
    const std::size_t choice = input_.byte();
    crash();
    if (choice % 2 == 1) {
      faulty_disk::cut_power(choice / 2 % 8);
    } else {
      faulty_disk::forget();
    }
    switch (choice / 16 % 4) {
      case 0:
        damage_file();
        break;
      case 1:
        damage_row();
        break;
      case 2:
        damage_log();
        break;
      default:
        break;
    }
    open();
    look();
  }

  // What the file says, if it can be trusted.
  std::optional<std::string> answer() {
    const auto store = LeaseStore::open({.path = place_.ledger(), .clock = {}, .owner = {}});
    if (!store) {
      HF_ASSERT(store.error().code == Code::kUnavailable && !store.error().message.empty());
      return std::nullopt;
    }
    const auto report = (*store)->report();
    if (!report) return std::nullopt;
    return words_of(*report);
  }

  // Damages the sound file, asks what it says now, and restores it.
  template <class Damage>
  void with_damage(const Damage& damage) {
    const auto expected = answer();
    HF_ASSERT(expected.has_value());
    const auto sound = place_.bytes();
    damage();
    const auto seen = answer();
    HF_ASSERT(!seen || *seen == *expected);
    place_.put(sound);
  }

  void damage_file() {
    const std::size_t high = input_.byte();
    const std::size_t low = input_.byte();
    const std::size_t change = input_.byte();
    with_damage([&] {
      std::string bytes = read_file(place_.ledger());
      const std::size_t at = (high * 256 + low) % bytes.size();
      if (change == 0) {
        // To SQLite a file of one byte is empty, and an empty one is a ledger not made yet.
        bytes.resize(std::max<std::size_t>(at, 2));
      } else {
        bytes[at] = static_cast<char>(static_cast<std::size_t>(bytes[at]) ^ change);
      }
      write_file(place_.ledger(), bytes);
    });
  }

  void damage_row() {
    constexpr std::array<const char*, 20> kColumns{"scope SET parent",
                                                   "scope SET usd_limit",
                                                   "scope SET tokens_limit",
                                                   "scope SET usd_spent",
                                                   "scope SET tokens_spent",
                                                   "scope SET usd_leased",
                                                   "scope SET tokens_leased",
                                                   "scope SET seal",
                                                   "lease SET scope",
                                                   "lease SET usd_left",
                                                   "lease SET tokens_left",
                                                   "lease SET usd_window",
                                                   "lease SET usd_open",
                                                   "lease SET tokens_open",
                                                   "lease SET usd_settled",
                                                   "lease SET pid",
                                                   "lease SET seal",
                                                   "call SET lease",
                                                   "call SET usd",
                                                   "call SET tokens"};
    const std::string column = kColumns[input_.byte() % kColumns.size()];
    const std::string table = column.substr(0, column.find(' '));
    const std::string key = table == "call" ? "(lease, id)" : "id";
    const std::string row = std::to_string(input_.byte() % 4);
    const std::string sql = "UPDATE " + column + " = " + std::to_string(input_.count()) +
                            " WHERE " + key + " IN (SELECT " +
                            (table == "call" ? "lease, id" : "id") + " FROM " + table +
                            " LIMIT 1 OFFSET " + row + ")";
    with_damage([&] {
      sqlite3* connection = nullptr;
      HF_ASSERT(sqlite3_open(place_.ledger().c_str(), &connection) == SQLITE_OK);
      // Some rows cannot be: then nothing is changed.
      sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
      sqlite3_close(connection);
    });
  }

  // SQLite takes what follows a damaged frame for torn, so that the ledger may be an older one.
  void damage_log() {
    const std::size_t high = input_.byte();
    const std::size_t low = input_.byte();
    const std::size_t change = input_.byte();
    const auto sound = place_.bytes();
    if (sound.second.empty()) return;
    auto bytes = sound;
    const std::size_t at = (high * 256 + low) % bytes.second.size();
    if (change == 0) {
      bytes.second.resize(at);
    } else {
      bytes.second[at] = static_cast<char>(static_cast<std::size_t>(bytes.second[at]) ^ change);
    }
    place_.put(bytes);
    answer();
    place_.put(sound);
  }

  const LedgerPlace& place_;
  Input input_;
  std::array<Truth, kNames.size()> truth_{};
  std::map<LeaseId, std::size_t> leases_;  // With their scopes.
  std::vector<Call> calls_;                // That run.
  std::uint64_t next_call_ = 1;
  bool is_well_ = true;  // Neither has the disk failed nor has somebody taken the leases away.
  std::unique_ptr<LeaseStore> store_;
};

// An empty ledger, which is made once.
const std::pair<std::string, std::string>& empty_ledger(const LedgerPlace& place) {
  static const auto kBytes = [&] {
    HF_ASSERT(LeaseStore::open({.path = place.ledger(), .clock = {}, .owner = {}}).has_value());
    return place.bytes();
  }();
  return kBytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const LedgerPlace kPlace;
  faulty_disk::install();
  faulty_disk::mend();
  kPlace.put(empty_ledger(kPlace));
  Run(kPlace, Input({data, size})).go();
  return 0;
}
