#include "cli/simulate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "base/number.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "eval/text_file.h"
#include "sim/embedded.h"
#include "sim/sweep.h"
#include "sim/words.h"
#include "wire/json.h"

namespace hf::cli {
namespace {

namespace json = wire::json;

constexpr std::uint64_t kSeedsMax = 1'000'000'000;
constexpr std::size_t kFileBytesMax = 1 << 20;

struct Seeds {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

// "5" or "1..1000".
Result<Seeds> parse_seeds(std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto from = parse_number<std::uint64_t>(text.substr(0, dots));
  const auto to =
      dots == std::string_view::npos ? from : parse_number<std::uint64_t>(text.substr(dots + 2));
  if (!from || !to || *from > *to || *to - *from >= kSeedsMax) {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is no range of seeds; write for example 7 or 1..1000.", text));
  }
  return Seeds{*from, *to};
}

// A shipped world by its name, or a file.
Result<sim::WorldFile> find_world(const std::string& name) {
  if (name.find('/') == std::string::npos) {
    for (const sim::ShippedWorld& shipped : sim::shipped_worlds()) {
      if (shipped.name == name) return sim::read_world(shipped.toml, "worlds/" + name + ".toml");
    }
  }
  std::ifstream file(name, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    std::string known;
    for (const sim::ShippedWorld& shipped : sim::shipped_worlds()) {
      known += (known.empty() ? "" : ", ") + std::string(shipped.name);
    }
    return fail(
        Code::kInvalidInput,
        fmt::format("There is no world '{}': neither a file that can be read nor one of {}.", name,
                    known));
  }
  if (text.size() > kFileBytesMax) {
    return fail(Code::kInvalidInput,
                fmt::format("The world '{}' is longer than {} bytes.", name, kFileBytesMax));
  }
  return sim::read_world(text, name);
}

double ms(Duration duration) {
  return static_cast<double>(duration.count()) / 1e6;
}

std::string hex(std::uint64_t hash) {
  return fmt::format("{:016x}", hash);
}

json::object quantiles(const sim::Histogram& histogram) {
  return {{"p50", ms(histogram.quantile(0.50))},
          {"p95", ms(histogram.quantile(0.95))},
          {"p99", ms(histogram.quantile(0.99))},
          {"max", ms(histogram.most())}};
}

// Everything but the single seeds, without the braces around it.
std::string json_members(const sim::Summary& summary) {
  json::object outcomes;
  for (std::size_t i = 0; i < summary.outcomes.size(); ++i) {
    outcomes[sim::word(static_cast<Outcome>(i))] = summary.outcomes[i];
  }
  outcomes["lost"] = summary.lost;
  json::object faults;
  for (std::size_t i = 0; i < sim::kFaults; ++i) {
    faults[sim::name_of(static_cast<sim::Fault>(i))] = summary.faults[i];
  }
  const json::object all{
      {"violations", summary.violations},
      {"hash", hex(summary.hash)},
      {"events", summary.events},
      {"queries", summary.queries},
      {"outcomes", outcomes},
      {"refusals", summary.outcomes[static_cast<std::size_t>(Outcome::kRefused)]},
      {"right", summary.right},
      {"usd", to_usd(summary.sums.usd)},
      {"cloud_tokens", summary.sums.cloud_tokens.count()},
      {"edge_tokens", summary.sums.edge_tokens.count()},
      {"cloud_calls", summary.sums.cloud_calls},
      {"edge_calls", summary.sums.edge_calls},
      {"hedges", summary.sums.hedges},
      {"latency_ms", quantiles(summary.latency)},
      {"makespan_ms", quantiles(summary.makespan)},
      {"faults", faults},
  };
  const std::string text = wire::to_text(all);
  return text.substr(1, text.size() - 2);
}

std::string text_of(const sim::Summary& summary) {
  const auto share = [&](std::uint64_t count) {
    return 100.0 * static_cast<double>(count) /
           static_cast<double>(std::max<std::uint64_t>(summary.queries, 1));
  };
  std::string out = fmt::format("seeds       {}, {} events, hash {}\n", summary.seeds,
                                summary.events, hex(summary.hash));
  out += fmt::format("queries     {}", summary.queries);
  for (std::size_t i = 0; i < summary.outcomes.size(); ++i) {
    out += fmt::format(", {} {}", summary.outcomes[i], sim::word(static_cast<Outcome>(i)));
  }
  if (summary.lost > 0) out += fmt::format(", {} lost", summary.lost);
  out += fmt::format("\nright       {} ({:.1f} %)\n", summary.right, share(summary.right));
  out += fmt::format("spent       ${:.6f}, {} cloud tokens, {} edge tokens\n",
                     to_usd(summary.sums.usd), summary.sums.cloud_tokens.count(),
                     summary.sums.edge_tokens.count());
  out += fmt::format("calls       {} cloud, {} edge, {} of them hedges\n", summary.sums.cloud_calls,
                     summary.sums.edge_calls, summary.sums.hedges);
  const auto line = [&](std::string_view name, const sim::Histogram& h) {
    out +=
        fmt::format("{}p50 {:.1f} ms, p95 {:.1f} ms, p99 {:.1f} ms, at most {:.1f} ms\n", name,
                    ms(h.quantile(0.5)), ms(h.quantile(0.95)), ms(h.quantile(0.99)), ms(h.most()));
  };
  line("latency     ", summary.latency);
  line("makespan    ", summary.makespan);
  out += "faults     ";
  for (std::size_t i = 0; i < sim::kFaults; ++i) {
    if (summary.faults[i] == 0) continue;
    out += fmt::format(" {} {}", sim::name_of(static_cast<sim::Fault>(i)), summary.faults[i]);
  }
  return out + fmt::format("\nviolations  {}\n", summary.violations);
}

// A failed assertion ends the program: say which seed it was.
void name_the_seed(int /*signal*/) {
  std::array<char, 64> text{};
  const std::string_view words = "hybridflow: it happened under seed ";
  char* end = std::copy(words.begin(), words.end(), text.begin());
  end = std::to_chars(end, text.end() - 1, sim::current_seed()).ptr;
  *end++ = '\n';
  [[maybe_unused]] const auto written =
      ::write(STDERR_FILENO, text.data(), static_cast<std::size_t>(end - text.data()));
}

// As one word of a shell, whatever is in it.
std::string quoted(const std::string& text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_./").contains(c);
  });
  if (is_plain) return text;
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
  }
  return out + "'";
}

void complain_of(const SimulateOptions& options, const sim::SeedResult& result) {
  for (const std::string& violation : result.violations) {
    fmt::print(stderr, "hybridflow: seed {}: {}\n", result.seed, violation);
  }
  fmt::print(stderr, "  replay it: hybridflow simulate {} --seeds {}{}{} --trace -\n",
             quoted(options.world), result.seed, options.policy.empty() ? "" : " --policy ",
             options.policy);
}

void print_seed(const sim::SeedResult& result, bool is_first) {
  fmt::print("{}\n{{\"seed\":{},\"hash\":\"{}\"", is_first ? "" : ",", result.seed,
             hex(result.hash));
  if (!result.violations.empty()) {
    fmt::print(",\"violations\":{}", wire::to_text(json::value_from(result.violations)));
  }
  fmt::print("}}");
}

}  // namespace

int run_simulate(const SimulateOptions& options) {
  const auto seeds = parse_seeds(options.seeds);
  if (!seeds) return complain(seeds.error().message, kBadUsage);
  const auto world = find_world(options.world);
  if (!world) return complain(world.error().message, kBadUsage);
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, &std::fclose);
  if (options.json && options.trace == "-") {
    return complain("--json and --trace - both write to standard output; give the trace a file.",
                    kBadUsage);
  }
  std::FILE* trace = options.trace == "-" ? stdout : nullptr;
  if (!options.trace.empty() && eval::names_same_file(options.trace, options.world))
    return complain("--trace would replace the world.", kBadUsage);
  if (!options.trace.empty() && trace == nullptr) {
    file.reset(std::fopen(options.trace.c_str(), "we"));
    trace = file.get();
    if (trace == nullptr) {
      return complain(fmt::format("The trace cannot be written to '{}'.", options.trace),
                      kBadUsage);
    }
  }
  std::signal(SIGABRT, name_the_seed);

  const auto started = std::chrono::steady_clock::now();
  sim::Summary summary;
  if (options.json) {
    fmt::print("{{\"world\":{},\"seeds\":[", wire::to_text(json::value_from(options.world)));
  }
  sim::sweep(
      *world,
      {.from = seeds->from,
       .to = seeds->to,
       .policy = options.policy,
       .jobs = options.jobs == 0 ? std::max(std::thread::hardware_concurrency(), 1U) : options.jobs,
       .trace = trace != nullptr ? sim::Trace::kText : sim::Trace::kNone},
      [&](const sim::SeedResult& result) {
        if (options.json) print_seed(result, summary.seeds == 0);
        if (!result.violations.empty()) complain_of(options, result);
        if (trace != nullptr) {
          const std::string text =
              fmt::format("# seed {}, hash {}\n{}", result.seed, hex(result.hash), result.trace);
          std::fwrite(text.data(), 1, text.size(), trace);
        }
        summary.add(result);
      });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  fmt::print("{}",
             options.json ? fmt::format("\n],{}}}\n", json_members(summary)) : text_of(summary));
  if (file != nullptr && (std::fflush(file.get()) != 0 || std::ferror(file.get()) != 0)) {
    return complain(fmt::format("The trace could not all be written to '{}'; check the disk or the "
                                "file behind it.",
                                options.trace),
                    kFailed);
  }
  fmt::print(stderr, "{} seeds in {:.1f} s: {:.0f} a second\n", summary.seeds, took.count(),
             static_cast<double>(summary.seeds) / std::max(took.count(), 1e-9));
  return summary.violations == 0 ? kAnswered : kFailed;
}

}  // namespace hf::cli
