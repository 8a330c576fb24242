// Goal: the scheduler does in each scenario of tests/flows exactly what the page says.
// Method: run the world that the page describes and compare the whole trace; no rule may be broken.
// HF_UPDATE_FLOWS=1 writes the traces instead: read the difference before it is committed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sim/flow.h"

namespace hf::sim {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> flow_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(HF_SOURCE_DIR) / "tests" / "flows")) {
    if (entry.path().extension() == ".flow") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Flows : public testing::TestWithParam<fs::path> {};

TEST_P(Flows, GiveTheExpectedTrace) {
  const auto flow = parse_flow(text_of(GetParam()));
  ASSERT_TRUE(flow) << flow.error().message;
  World world(flow->world);
  const std::string trace = world.run();
  EXPECT_TRUE(world.violations().empty()) << world.violations().front();
  if (std::getenv("HF_UPDATE_FLOWS") != nullptr) {
    std::ofstream(GetParam()) << flow->input << trace;
  } else {
    EXPECT_EQ(trace, flow->expected);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Flows, testing::ValuesIn(flow_files()), [](const auto& info) {
  std::string name = info.param.stem().string();
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace hf::sim
