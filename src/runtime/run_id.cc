#include "runtime/run_id.h"

#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

namespace hf {

std::string make_run_id() {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  unsigned __int128 value = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
  std::random_device entropy;
  for (int i = 0; i < 5; ++i) value = (value << 16U) | (entropy() & 0xFFFFU);
  std::string id(26, '0');
  for (auto digit = id.rbegin(); digit != id.rend(); ++digit, value >>= 5U) {
    *digit = kDigits[static_cast<std::size_t>(value & 31U)];
  }
  return id;
}

}  // namespace hf
