// Where a fuzz target keeps its ledger: a folder in memory if there is one, gone with the process.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "faulty_disk.h"

namespace hf {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class LedgerPlace {
 public:
  LedgerPlace() {
    std::error_code error;
    const bool is_fast =
        std::filesystem::is_directory("/dev/shm", error) && ::access("/dev/shm", W_OK) == 0;
    std::string name = is_fast ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    name += "/hybridflow-fuzz-XXXXXX";
    HF_ASSERT(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  LedgerPlace(const LedgerPlace&) = delete;
  LedgerPlace& operator=(const LedgerPlace&) = delete;
  ~LedgerPlace() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::filesystem::path ledger() const { return folder_ / "ledger.db"; }
  [[nodiscard]] std::filesystem::path log() const { return folder_ / "ledger.db-wal"; }
  // Both files, which together are the ledger.
  [[nodiscard]] std::pair<std::string, std::string> bytes() const {
    return {read_file(ledger()), read_file(log())};
  }
  void put(const std::pair<std::string, std::string>& bytes) const {
    std::filesystem::remove(folder_ / "ledger.db-shm");
    write_file(ledger(), bytes.first);
    std::filesystem::remove(log());
    if (!bytes.second.empty()) write_file(log(), bytes.second);
    faulty_disk::forget();
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace hf
