#include "faulty_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/assert.h"

namespace hf::faulty_disk {
namespace {

// How to take one write or truncation back.
struct Undo {
  sqlite3_int64 size = 0;  // Of the file before it.
  std::int64_t offset = 0;
  std::string bytes;  // What stood there.
};

constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();

struct File {
  std::string path;  // Empty for one without a name, which is gone after a crash anyway.
  const sqlite3_io_methods* real = nullptr;
};

std::atomic<std::int64_t> writes_left = kNoEnd;
std::mutex mutex;  // Of the three maps.
std::map<sqlite3_file*, File> files;
std::map<const sqlite3_io_methods*, sqlite3_io_methods> faulty_methods;  // By the real ones.
std::map<std::string, std::vector<Undo>> unsynced;
sqlite3_vfs* real = nullptr;

bool takes_writes() {
  return writes_left > 0;
}

const sqlite3_io_methods& methods_of(sqlite3_file* file) {
  const std::scoped_lock lock(mutex);
  return *files.at(file).real;
}

// Notes what the bytes from `offset` on are before they change.
void note(sqlite3_file* file, std::int64_t offset, std::int64_t count) {
  const sqlite3_io_methods& methods = methods_of(file);
  Undo undo;
  undo.offset = offset;
  HF_ASSERT(methods.xFileSize(file, &undo.size) == SQLITE_OK);
  const std::int64_t known = std::min<std::int64_t>(count, undo.size - offset);
  if (known > 0) {
    undo.bytes.resize(static_cast<std::size_t>(known));
    HF_ASSERT(methods.xRead(file, undo.bytes.data(), static_cast<int>(known), offset) == SQLITE_OK);
  }
  const std::scoped_lock lock(mutex);
  const std::string& path = files.at(file).path;
  if (!path.empty()) unsynced[path].push_back(std::move(undo));
}

int close_file(sqlite3_file* file) {
  const sqlite3_io_methods& methods = methods_of(file);
  {
    const std::scoped_lock lock(mutex);
    files.erase(file);
  }
  return methods.xClose(file);
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  if (!takes_writes()) return SQLITE_IOERR_WRITE;
  if (writes_left != kNoEnd) --writes_left;
  note(file, offset, count);
  return methods_of(file).xWrite(file, bytes, count, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (!takes_writes()) return SQLITE_IOERR_TRUNCATE;
  note(file, size, kNoEnd);
  return methods_of(file).xTruncate(file, size);
}

// Nothing here outlives the machine, so that a sync need not be made, only known.
int sync_file(sqlite3_file* file, int /*flags*/) {
  if (!takes_writes()) return SQLITE_IOERR_FSYNC;
  const std::scoped_lock lock(mutex);
  unsynced.erase(files.at(file).path);
  return SQLITE_OK;
}

int open_file(sqlite3_vfs* /*self*/, const char* name, sqlite3_file* file, int flags, int* given) {
  const int code = real->xOpen(real, name, file, flags, given);
  if (code != SQLITE_OK || file->pMethods == nullptr) return code;
  const std::scoped_lock lock(mutex);
  const auto [methods, is_new] = faulty_methods.emplace(file->pMethods, *file->pMethods);
  if (is_new) {
    methods->second.xClose = close_file;
    methods->second.xWrite = write_file;
    methods->second.xTruncate = truncate_file;
    methods->second.xSync = sync_file;
  }
  files[file] = {name == nullptr ? "" : name, file->pMethods};
  file->pMethods = &methods->second;
  return code;
}

int delete_file(sqlite3_vfs* /*self*/, const char* name, int syncs_folder) {
  if (!takes_writes()) return SQLITE_IOERR_DELETE;
  const std::scoped_lock lock(mutex);
  unsynced.erase(name);
  return real->xDelete(real, name, syncs_folder);
}

void take_back(const std::string& path, const Undo& undo) {
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(undo.offset);
    file.write(undo.bytes.data(), static_cast<std::streamsize>(undo.bytes.size()));
    HF_ASSERT(file.good());
  }
  std::filesystem::resize_file(path, static_cast<std::uintmax_t>(undo.size));
}

}  // namespace

void install() {
  static sqlite3_vfs faulty;
  if (real != nullptr) return;
  real = sqlite3_vfs_find(nullptr);
  HF_ASSERT(real != nullptr);
  faulty = *real;
  faulty.pNext = nullptr;
  faulty.zName = "faulty";
  faulty.xOpen = open_file;
  faulty.xDelete = delete_file;
  HF_ASSERT(sqlite3_vfs_register(&faulty, 1) == SQLITE_OK);
}

void fail_after(std::int64_t writes) {
  writes_left = writes;
}

void mend() {
  writes_left = kNoEnd;
}

void cut_power(std::size_t keep) {
  const std::scoped_lock lock(mutex);
  HF_ASSERT(files.empty());
  for (auto& [path, undos] : unsynced) {
    for (; undos.size() > keep; undos.pop_back()) take_back(path, undos.back());
  }
  unsynced.clear();
}

void forget() {
  const std::scoped_lock lock(mutex);
  unsynced.clear();
}

}  // namespace hf::faulty_disk
