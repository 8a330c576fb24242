// How fast the plan reader is, in bytes per second: a usual plan in pieces as a model streams them,
// prose, and text that tries to make it look twice.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plan/plan_reader.h"

namespace {

std::string usual_plan() {
  std::string text = "Here is the plan:\n```xml\n<Plan>\n";
  for (int id = 1; id <= 6; ++id) {
    const char* role = id == 1 ? "explain" : id == 6 ? "generate" : "analyze";
    text += "<Step ID=\"" + std::to_string(id) + "\" Role=\"" + role +
            "\" Task=\"How many of the things that are counted in step " + std::to_string(id) +
            " are left at the end of the day?\" Rely=\"" +
            (id == 1   ? ""
             : id == 6 ? "2,3,4,5"
                       : "1") +
            "\" Token=\"40\" Difficulty=\"3\"/>\n";
  }
  return text + "</Plan>\n```\n";
}

std::string repeated(std::string_view unit, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

void read(benchmark::State& state, const std::string& text, std::size_t piece) {
  for (auto _ : state) {
    hf::PlanReader reader({});
    for (std::size_t at = 0; at < text.size(); at += piece) {
      benchmark::DoNotOptimize(reader.push(std::string_view(text).substr(at, piece)));
    }
    benchmark::DoNotOptimize(reader.finish(false));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

constexpr std::size_t kMegabyte = 1'000'000;

void BM_UsualPlan(benchmark::State& state) {
  read(state, usual_plan(), static_cast<std::size_t>(state.range(0)));
}
BENCHMARK(BM_UsualPlan)->Arg(4)->Arg(100'000);

void BM_Prose(benchmark::State& state) {
  read(state, repeated("word and word ", kMegabyte), 4096);
}
BENCHMARK(BM_Prose);

void BM_OpenTags(benchmark::State& state) {
  read(state, repeated("<Step Task=\"a ", kMegabyte), 4096);
}
BENCHMARK(BM_OpenTags);

void BM_OneGiantTag(benchmark::State& state) {
  read(state, "<Plan><Step Task=\"" + repeated("a \" b <", kMegabyte), 4096);
}
BENCHMARK(BM_OneGiantTag);

}  // namespace
