// Who may ask, how often and how much at once, and which account pays for it.
//
// Keys come from a KeyStore, where other processes may change them; changes count within a second.
// Without any key ever made, everybody may ask. Thread safety: the loop's thread only.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/budget.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/problem.h"
#include "store/key_store.h"

namespace hf::serve {

// Who asks; a default one is anybody, where no keys are asked for.
struct Caller {
  std::int64_t key = 0;
  std::string label;  // Of the key: tells it from an earlier one of the same name.
};

class Access {
 public:
  struct Options {
    store::KeyStore* keys = nullptr;          // Null: none. Must outlive this.
    std::function<std::int64_t()> unix_time;  // Seconds.
    std::size_t sessions_max = 1'000;         // Remembered; the one used least recently goes.
  };
  // What a runtime's configuration says of accounts.
  struct Terms {
    Budget session;                    // Of each session.
    std::optional<std::string> scope;  // The durable scope of the process, if there is one.
  };

  explicit Access(Options options) : options_(std::move(options)) {}

  // Accounts are opened there from now on; those that are in use stay where they are.
  void pay_at(Runtime& runtime, Terms terms);

  // By the request's headers. 401: no key that is known.
  std::expected<Caller, Problem> enter(const net::Request& request);

  // The right to one run: holds a place of the key's as long as it lives.
  class Ticket {
   public:
    [[nodiscard]] AccountId account() const { return account_; }

   private:
    friend class Access;
    std::shared_ptr<void> place_;
    std::shared_ptr<void> payer_;
    AccountId account_{};
  };
  // 403: the key may not name the model; 429: too often, or too much at once.
  std::expected<Ticket, Problem> admit(const Caller& caller, std::string_view model,
                                       const std::string& session);
  [[nodiscard]] static bool may_see(const Caller& caller, std::string_view owner) {
    return caller.key == 0 || caller.label == owner;
  }
  [[nodiscard]] bool may_name(const Caller& caller, std::string_view model);

  // The budgets that the caller may see: its key's and its sessions', or all of them.
  struct Account {
    std::string name;   // "key alice", "session s1"
    std::string owner;  // Label of the key; empty: none.
    std::string scope;  // Its durable scope; empty: none.
    BudgetState state;  // Of a durable one: what this process has leased of it.
    std::optional<std::int64_t> renews_at;
  };
  std::vector<Account> accounts(const Caller& caller);
  // Closes the accounts of keys that lease, if nobody has used them for so long. Whether there are
  // more that do.
  bool give_back_idle(Duration idle);
  // When the period of the scope that refused is over.
  [[nodiscard]] std::optional<std::int64_t> renewal_of(std::string_view scope);

 private:
  // An account that is open as long as somebody holds it.
  struct Payer {
    Payer(Runtime& runtime, AccountId account) : runtime(runtime), account(account) {}
    ~Payer() { runtime.close_account(account); }
    Payer(const Payer&) = delete;
    Payer& operator=(const Payer&) = delete;

    Runtime& runtime;
    const AccountId account;
    Account description = {};
    std::shared_ptr<Payer> above = {};
    std::int64_t used_at = 0;  // Unix seconds.
  };
  // It outlives its account, which goes when that of its key changes.
  struct Session {
    std::shared_ptr<Payer> payer = {};
    Amounts spent = {};      // In accounts before the present one, what they held included.
    std::uint64_t used = 0;  // Number of the latest admission.
  };
  // What a key does at the moment; it outlives changes of the key.
  struct Traffic {
    double allowance = 0;  // Requests that may come at once.
    double at = 0;         // When it was that, in seconds.
    std::shared_ptr<int> in_flight = std::make_shared<int>(0);
  };

  void refresh();
  void close_accounts();
  static void set_aside(Session& session);
  [[nodiscard]] const store::Key* key_of(const Caller& caller) const;
  std::expected<std::shared_ptr<Payer>, Problem> payer_of(const store::Key& key);
  std::expected<std::shared_ptr<Payer>, Problem> session_payer(const Caller& caller,
                                                               const store::Key* key,
                                                               const std::string& session);
  std::optional<Problem> count_request(const store::Key& key);
  static std::expected<std::shared_ptr<Payer>, Problem> open(Runtime& runtime,
                                                             const AccountSpec& spec);

  const Options options_;
  Runtime* runtime_ = nullptr;
  Terms terms_;
  store::KeyRing ring_;
  std::unordered_map<std::int64_t, const store::Key*> keys_;  // Of the ring, by id.
  bool is_closed_ = false;
  std::int64_t looked_at_ = -1;  // Unix seconds of the last look at the store.
  std::map<std::int64_t, Traffic> traffic_;
  std::map<std::int64_t, std::shared_ptr<Payer>> payers_;  // By key.
  std::map<std::pair<std::int64_t, std::string>, Session> sessions_;
  std::uint64_t admissions_ = 0;
};

}  // namespace hf::serve
