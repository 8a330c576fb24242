// Prints the hash of each seed of a world: `sim_hashes FILE FROM TO`. Two builds of it with other
// optimisation must print the same (see CMakeLists.txt).
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "sim/sweep.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream file(argv[1]);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto world = hf::sim::read_world(text, argv[1]);
  if (!world) {
    std::fprintf(stderr, "%s\n", world.error().message.c_str());
    return 2;
  }
  std::size_t violations = 0;
  hf::sim::sweep(*world,
                 {.from = std::strtoull(argv[2], nullptr, 10),
                  .to = std::strtoull(argv[3], nullptr, 10),
                  .policy = {}},
                 [&](const hf::sim::SeedResult& result) {
                   violations += result.violations.size();
                   std::printf("%llu %016llx\n", static_cast<unsigned long long>(result.seed),
                               static_cast<unsigned long long>(result.hash));
                   for (const std::string& each : result.violations) {
                     std::fprintf(stderr, "seed %llu: %s\n",
                                  static_cast<unsigned long long>(result.seed), each.c_str());
                   }
                 });
  return violations == 0 ? 0 : 1;
}
