#include "catalogue/layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace hf {

Layout::Layout(const std::filesystem::path& directory, const Model& model)
    : file(directory / (model.name + ".gguf")),
      partial(directory / (model.name + ".gguf.partial")),
      parts(directory / (model.name + ".parts")),
      download(parts / "download"),
      lock(directory / ("." + model.name + ".lock")) {}

Result<FileLock> FileLock::create(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return fail(Code::kUnavailable,
                fmt::format("{} cannot be written: {}; set HYBRIDFLOW_MODELS to a folder you own",
                            file.parent_path().string(), std::generic_category().message(errno)));
  }
  return FileLock(descriptor);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileLock::try_lock() const {
  return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
}

void FileLock::lock() const {
  while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

}  // namespace hf
