// Whatever stands in an event log, a replay of it names what is wrong or reports; it never falls
// over, whatever it has to tell the scheduler.
//
// Input that begins with { is a log as it is. Any other is a recipe for a log that is nearly right:
// its first byte chooses a recorded run, and every four after it change a number or a line of it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "recorded_run.h"
#include "replay/replay.h"

namespace {

constexpr std::size_t kRuns = 16;
constexpr std::array<std::string_view, 12> kNumbers = {"-9223372036854775808",
                                                       "-1",
                                                       "0",
                                                       "1",
                                                       "2",
                                                       "3",
                                                       "255",
                                                       "65535",
                                                       "4294967295",
                                                       "1000000000000",
                                                       "9223372036854775807",
                                                       "18446744073709551615"};

const std::string& recorded(std::size_t number) {
  static const std::vector<std::string> logs = [] {
    std::vector<std::string> made;
    for (std::size_t seed = 0; seed < kRuns; ++seed) {
      hf::RecordedRun run(seed);
      run.run(1);
      run.run(2);
      run.end();
      made.push_back(run.log());
    }
    return made;
  }();
  return logs[number % kRuns];
}

void change_number(std::string& log, std::size_t at, std::size_t choice) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t begin = log.find_first_of(kDigits, at);
  if (begin == std::string::npos) return;
  const std::size_t end = std::min(log.find_first_not_of(kDigits, begin), log.size());
  log.replace(begin, end - begin, kNumbers[choice % kNumbers.size()]);
}

// Takes the line at `at` away, or puts another one before it.
void change_line(std::string& log, std::size_t at, std::size_t choice) {
  const std::size_t begin = log.find('\n', at) + 1;
  const std::size_t end = log.find('\n', begin);
  if (end == std::string::npos) return;
  const std::string line = log.substr(begin, end + 1 - begin);
  if (choice % 2 == 0) {
    log.erase(begin, line.size());
  } else {
    const std::size_t to = log.find('\n', (at + choice * 64) % log.size()) + 1;
    log.insert(to, line);
  }
}

std::string nearly_right(std::span<const std::uint8_t> recipe) {
  std::string log = recorded(recipe[0]);
  for (std::size_t i = 1; i + 4 <= recipe.size() && i < 64 && !log.empty(); i += 4) {
    const std::size_t at = (recipe[i] + std::size_t{recipe[i + 1]} * 256) % log.size();
    const std::size_t choice = recipe[i + 3];
    recipe[i + 2] % 4 == 0 ? change_line(log, at, choice) : change_number(log, at, choice);
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  const bool is_recipe = size > 0 && data[0] != '{';
  std::istringstream log(is_recipe ? nearly_right(input)
                                   : std::string(reinterpret_cast<const char*>(data), size));
  const auto report =
      hf::replay(log, "log", [](const std::string&) -> hf::ModelSource::result_type {
        return hf::fail(hf::Code::kInvalidInput, "there are no weights here");
      });
  if (!report) HF_ASSERT(report.error().message.starts_with("log:"));
  if (is_recipe && size < 5) HF_ASSERT(report && report->is_identical());
  return 0;
}
