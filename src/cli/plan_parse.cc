#include "cli/plan_parse.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/result.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "plan/plan_reader.h"
#include "plan/render.h"
#include "wire/json.h"
#include "wire/plan_json.h"

namespace hf::cli {
namespace {

constexpr int kNoPlan = 2;

// Gives the reader what comes, as soon as it comes, until the plan is closed.
Result<void> feed(PlanReader& reader, const std::string& file_or_dash) {
  const bool is_standard = file_or_dash == "-";
  const int file = is_standard ? STDIN_FILENO : ::open(file_or_dash.c_str(), O_RDONLY | O_CLOEXEC);
  Result<void> result;
  std::array<char, 16'384> piece;
  while (!reader.is_closed()) {
    const ssize_t size = file < 0 ? -1 : ::read(file, piece.data(), piece.size());
    if (size < 0 && file >= 0 && errno == EINTR) continue;
    if (size < 0) {
      result = fail(Code::kInvalidInput,
                    fmt::format("cannot read '{}': {}.", file_or_dash, std::strerror(errno)));
    }
    if (size <= 0) break;
    reader.push(std::string_view(piece.data(), static_cast<std::size_t>(size)));
  }
  if (!is_standard && file >= 0) ::close(file);
  return result;
}

}  // namespace

int run_plan_parse(const std::string& file_or_dash, const std::string& format) {
  PlanReader reader({});
  if (const auto fed = feed(reader, file_or_dash); !fed) {
    return complain(fed.error().message, kNoPlan);
  }
  const PlanEnd end = reader.finish(false).plan;
  if (end.outcome == PlanOutcome::kUseless) {
    return complain(fmt::format("no plan in '{}': {}.", file_or_dash, end.fault), kNoPlan);
  }
  return print_plan(reader.steps(), end, reader.repairs(), "markup", format);
}

int print_plan(std::span<const PlannedStep> steps, const PlanEnd& end,
               std::span<const std::string> repairs, const std::string& source,
               const std::string& format) {
  std::string out;
  if (format == "json") {
    out = wire::to_text(wire::plan_json(steps, end, repairs, source), wire::Layout::kIndented);
    if (!out.ends_with('\n')) out += '\n';
  } else if (format == "dot") {
    out = render_dot(steps, end);
  } else if (format == "svg") {
    out = render_svg(steps, end);
  } else if (format == "text") {
    out = render_text(steps, end);
    for (const std::string& repair : repairs) out += fmt::format("repaired: {}\n", repair);
  } else {
    return complain(fmt::format("'{}' is not a format; use text, json, dot or svg.", format),
                    kNoPlan);
  }
  show(stdout, out);
  return kAnswered;
}

}  // namespace hf::cli
