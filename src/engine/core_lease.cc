#include "engine/core_lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace hf::engine {
namespace {

// More busy engines than this are possible; those without a lock are then not counted, which only
// makes the others' shares larger than fair, never their sum larger than the cores.
constexpr std::size_t kBusyMin = 16;
constexpr std::chrono::microseconds kPoll{300};

Result<void> make_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Code::kUnavailable,
                fmt::format("The directory '{}' cannot be made: {}.", path, std::strerror(errno)));
  }
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      (info.st_mode & 077U) != 0) {
    return fail(Code::kUnavailable,
                fmt::format("'{}' must be a directory of this user that nobody else can open (mode "
                            "0700); remove it and start again.",
                            path));
  }
  return {};
}

}  // namespace

// A file and whether this set holds its lock.
class CoreLease::LockFile {
 public:
  static Result<LockFile> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return fail(Code::kUnavailable, fmt::format("The lock file '{}' cannot be opened: {}.", path,
                                                  std::strerror(errno)));
    }
    return LockFile(fd);
  }
  LockFile(LockFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), is_held_(std::exchange(other.is_held_, false)) {}
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile() {
    if (fd_ >= 0) ::close(fd_);  // Frees the lock.
  }

  bool try_lock() {
    if (!is_held_) is_held_ = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
    return is_held_;
  }
  void unlock() {
    if (is_held_) ::flock(fd_, LOCK_UN);
    is_held_ = false;
  }
  [[nodiscard]] bool is_held() const { return is_held_; }
  // Whether another set holds it. Looks with a shared lock, so that lookers see no lookers.
  [[nodiscard]] bool is_taken() {
    if (is_held_) return false;
    if (::flock(fd_, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    ::flock(fd_, LOCK_UN);
    return false;
  }

 private:
  explicit LockFile(int fd) : fd_(fd) {}

  int fd_;
  bool is_held_ = false;
};

Result<std::string> core_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  struct stat info{};
  const bool is_usable = runtime != nullptr && *runtime == '/' && ::stat(runtime, &info) == 0 &&
                         info.st_uid == ::geteuid();
  const std::string parent = is_usable ? std::string(runtime) + "/hybridflow"
                                       : fmt::format("/tmp/hybridflow-{}", ::geteuid());
  HF_CHECK(make_private_directory(parent));
  HF_CHECK(make_private_directory(parent + "/cores"));
  return parent + "/cores";
}

std::size_t core_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
    return static_cast<std::size_t>(CPU_COUNT(&set));
  }
  return std::max(std::thread::hardware_concurrency(), 1U);
}

Result<CoreLease> CoreLease::open(const Options& options) {
  std::vector<LockFile> cores;
  for (std::size_t i = 0; i < options.cores; ++i) {
    HF_TRY(LockFile file, LockFile::open(fmt::format("{}/core-{}", options.directory, i)));
    cores.push_back(std::move(file));
  }
  std::vector<LockFile> busy;
  for (std::size_t i = 0; i < std::max(kBusyMin, 2 * options.cores); ++i) {
    HF_TRY(LockFile file, LockFile::open(fmt::format("{}/busy-{}", options.directory, i)));
    busy.push_back(std::move(file));
  }
  HF_TRY(LockFile turn, LockFile::open(options.directory + "/turn"));
  return CoreLease(options, std::move(cores), std::move(busy), std::move(turn));
}

CoreLease::CoreLease(Options options, std::vector<LockFile> cores, std::vector<LockFile> busy,
                     LockFile turn)
    : options_(std::move(options)), cores_(std::move(cores)), busy_(std::move(busy)) {
  turn_.push_back(std::move(turn));
}

CoreLease::CoreLease(CoreLease&& other) noexcept
    : options_(std::move(other.options_)),
      cores_(std::move(other.cores_)),
      busy_(std::move(other.busy_)),
      turn_(std::move(other.turn_)),
      held_(std::exchange(other.held_, 0)) {}

CoreLease::~CoreLease() = default;

std::size_t CoreLease::adjust(const std::function<bool()>& give_up, std::size_t most) {
  become_busy();
  Share share = fair_share();
  share.cores = std::min(share.cores, std::max<std::size_t>(most, 1));
  give_back(share.is_crowded ? 0 : share.cores);
  if (held_ >= share.cores) return held_;
  LockFile& turn = turn_.front();
  // Somebody without any core goes first; whoever has one makes do with it.
  while (!turn.try_lock()) {
    if (held_ > 0) return held_;
    if (give_up()) return 0;
    std::this_thread::sleep_for(kPoll);
  }
  take(share.cores);
  while (held_ == 0 && !give_up()) {
    std::this_thread::sleep_for(kPoll);
    take(1);
  }
  turn.unlock();
  return held_;
}

void CoreLease::release() {
  give_back(0);
  for (LockFile& file : busy_) file.unlock();
}

void CoreLease::become_busy() {
  if (std::ranges::any_of(busy_, &LockFile::is_held)) return;
  std::ranges::find_if(busy_, &LockFile::try_lock);
}

CoreLease::Share CoreLease::fair_share() {
  std::size_t others = 0;
  std::size_t before = 0;  // Of those, how many come before this one; they get the remainder.
  bool is_after = false;
  for (LockFile& file : busy_) {
    is_after = is_after || file.is_held();
    if (!file.is_taken()) continue;
    ++others;
    if (!is_after) ++before;
  }
  const std::size_t busy = others + 1;
  const std::size_t cores = options_.cores / busy + (before < options_.cores % busy ? 1 : 0);
  return {.cores = std::clamp<std::size_t>(cores, 1, std::max<std::size_t>(options_.most, 1)),
          .is_crowded = busy > options_.cores};
}

void CoreLease::give_back(std::size_t keep) {
  for (LockFile& file : cores_) {
    if (held_ <= keep) return;
    if (!file.is_held()) continue;
    file.unlock();
    --held_;
  }
}

void CoreLease::take(std::size_t wanted) {
  for (LockFile& file : cores_) {
    if (held_ >= wanted) return;
    if (!file.is_held() && file.try_lock()) ++held_;
  }
}

}  // namespace hf::engine
