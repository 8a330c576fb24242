// The cores of this machine, shared by all engines on it: together their computing threads never
// exceed the cores, because threads that spin for each other on too few cores lose most of them.
//
// A core is a file that is flock()ed while it is leased, so the kernel frees it however its holder
// dies. An engine that has work holds one lock of another set, so that each can count the busy
// ones; cores divided by busy engines is the fair share. What is above it is given back and what
// is free below it is taken at every call of adjust(). When busy engines outnumber cores they take
// turns, one step each. Thread safety: none; every lease set has its own files open, so several in
// one process exclude each other too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hf::engine {

// The directory all engines of this user share; made if needed. One that belongs to somebody else,
// is a symbolic link, or is open to others is refused.
Result<std::string> core_directory();

// Cores this process may run on.
std::size_t core_count();

class CoreLease {
 public:
  struct Options {
    std::string directory;
    std::size_t cores = 1;  // The same for all who share the directory.
    std::size_t most = 1;   // Never more than this for this set.
  };
  static Result<CoreLease> open(const Options& options);

  CoreLease(CoreLease&& other) noexcept;
  CoreLease& operator=(CoreLease&&) = delete;
  ~CoreLease();  // Gives everything back.

  // Makes this set busy and brings it to its fair share; waits for a first core if there is none.
  // Returns what is held: 1 or more, or 0 if `give_up` said so while waiting. Takes at most `most`.
  std::size_t adjust(const std::function<bool()>& give_up, std::size_t most = SIZE_MAX);
  // Nothing to do: gives everything back.
  void release();

  [[nodiscard]] std::size_t held() const { return held_; }
  [[nodiscard]] std::size_t most() const { return options_.most; }

 private:
  class LockFile;
  struct Share {
    std::size_t cores = 1;
    bool is_crowded = false;  // More busy engines than cores.
  };

  CoreLease(Options options, std::vector<LockFile> cores, std::vector<LockFile> busy,
            LockFile turn);

  void become_busy();
  [[nodiscard]] Share fair_share();
  void give_back(std::size_t keep);
  void take(std::size_t wanted);

  Options options_;
  std::vector<LockFile> cores_;
  std::vector<LockFile> busy_;
  std::vector<LockFile> turn_;  // One: who waits for a core holds it, so nobody overtakes.
  std::size_t held_ = 0;
};

}  // namespace hf::engine
