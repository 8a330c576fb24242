// A folder that goes away with its test, and short words for what every test of the store needs.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "store/lease_store.h"

namespace hf::store {

class Scratch {
 public:
  Scratch() {
    std::string name = testing::TempDir() + "hybridflow-store-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path ledger() const { return folder_ / "ledger.db"; }

 private:
  std::filesystem::path folder_;
};

inline Amounts of(std::int64_t usd, std::int64_t tokens = 0) {
  return {PicoUsd(usd), Tokens(tokens)};
}

inline Budget limits(std::optional<std::int64_t> usd, std::optional<std::int64_t> tokens = {}) {
  Budget budget;
  if (usd) budget.usd = PicoUsd(*usd);
  if (tokens) budget.cloud_tokens = Tokens(*tokens);
  return budget;
}

// A process of an earlier boot: surely dead.
inline Owner dead_owner() {
  return {.pid = 1, .born = 1, .boot = "an earlier boot", .pid_space = "any"};
}

inline Result<std::unique_ptr<LeaseStore>> try_open(const std::filesystem::path& path,
                                                    std::optional<Owner> owner = {}) {
  return LeaseStore::open(
      {.path = path, .clock = [] { return 1'700'000'000; }, .owner = std::move(owner)});
}

// REQUIRES: the store is sound.
inline std::unique_ptr<LeaseStore> open_store(const std::filesystem::path& path,
                                              std::optional<Owner> owner = {}) {
  auto store = try_open(path, std::move(owner));
  if (!store) {
    ADD_FAILURE() << store.error().message;
    std::abort();
  }
  return std::move(*store);
}

// REQUIRES: it is there.
inline ScopeRow scope_of(LeaseStore& store, std::string_view name) {
  const auto report = store.report();
  if (report) {
    for (const ScopeRow& row : report->scopes) {
      if (row.name == name) return row;
    }
  }
  ADD_FAILURE() << "no scope " << name << (report ? "" : ": " + report.error().message);
  std::abort();
}

// REQUIRES: it is granted.
inline Lease take_all(LeaseStore& store, std::string_view scope, const Amounts& amount) {
  const auto taken = store.take(scope, amount, amount);
  if (!taken || !*taken) {
    ADD_FAILURE() << (taken ? "refused by " + taken->error().scope : taken.error().message);
    std::abort();
  }
  return **taken;
}

// How often the long tests repeat: few times by default, HF_STORE_REPETITIONS times if it is set.
inline int repetitions(int usual) {
  const char* wanted = std::getenv("HF_STORE_REPETITIONS");
  return wanted == nullptr ? usual : std::atoi(wanted);
}

}  // namespace hf::store
