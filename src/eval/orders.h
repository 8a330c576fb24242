// The orders in which the queries of a stream come.
//
// Thread safety: none needed; nothing changes after it was made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "eval/prepared.h"

namespace hf::eval {

enum class Order : std::uint8_t {
  kShuffled,  // Every order is as likely.
  kSorted,    // One category after the other, in an order by the seed; shuffled within.
  kDrift,  // The mix shifts from the categories with the smallest gain of the cloud to the others.
};

[[nodiscard]] std::string_view name_of(Order order);
[[nodiscard]] std::optional<Order> order_named(std::string_view name);

class Orders {
 public:
  explicit Orders(const Prepared& data);

  // Every query once, by index in the data. The same for the same seed.
  [[nodiscard]] std::vector<std::uint32_t> make(Order order, std::uint64_t seed) const;

 private:
  std::vector<std::uint32_t> categories_;  // Of each query; 0 has the smallest gain in the cloud.
  std::uint32_t count_ = 0;                // Of categories.
};

}  // namespace hf::eval
