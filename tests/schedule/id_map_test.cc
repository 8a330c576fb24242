// Goal: the map knows exactly what was put in and not taken out, also when ids crowd each other.
// Method: random insertions and erasures of ids that collide, against std::map; the memory of
// values that come and go.
#include "schedule/id_map.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <map>
#include <memory>

namespace hf {
namespace {

RC_GTEST_PROP(IdMap, AgreesWithAnOrdinaryMap, ()) {
  IdMap<std::uint64_t> map;
  std::map<std::uint64_t, std::uint64_t> truth;
  const int steps = *rc::gen::inRange(0, 400);
  for (int i = 0; i < steps; ++i) {
    // Few low bits and few high ones: crowds in one place, and ids that lie side by side.
    const std::uint64_t id = *rc::gen::inRange<std::uint64_t>(0, 24) +
                             64 * *rc::gen::inRange<std::uint64_t>(0, 4) +
                             (*rc::gen::arbitrary<bool>() ? UINT64_MAX - 200 : 0);
    if (truth.contains(id)) {
      RC_ASSERT(map.at(id) == truth[id]);
      map.erase(id);
      truth.erase(id);
    } else {
      RC_ASSERT(map.find(id) == nullptr);
      map.erase(id);  // Of nothing: changes nothing.
      map.insert(id, truth[id] = static_cast<std::uint64_t>(i));
    }
    for (const auto& [known, value] : truth) RC_ASSERT(map.at(known) == value);
  }
}

TEST(IdMap, LetsGoOfWhatIsErased) {
  const auto value = std::make_shared<int>(7);
  IdMap<std::shared_ptr<int>> map;
  for (std::uint64_t id = 0; id < 100; ++id) map.insert(id, value);
  EXPECT_EQ(value.use_count(), 101);
  for (std::uint64_t id = 0; id < 100; ++id) map.erase(id);
  EXPECT_EQ(value.use_count(), 1);
}

TEST(IdMapDeathTest, AnIdIsInsertedOnceAndAskedForWhenItIsThere) {
  IdMap<int> map;
  map.insert(0, 1);
  EXPECT_DEATH(map.insert(0, 2), "nullptr");
  EXPECT_DEATH((void)map.at(16), "nullptr");
}

}  // namespace
}  // namespace hf
