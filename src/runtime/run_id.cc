#include "runtime/run_id.h"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/assert.h"

namespace hf {

namespace {

// Of the kernel's generator, many at a time: a system call for each id would cost more than the
// rest of a request that is passed on.
std::uint16_t random_bits() {
  thread_local std::array<std::uint16_t, 1024> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    for (std::size_t filled = 0;
         filled < sizeof pool;) {  // In pieces of 256 bytes it is never cut.
      constexpr std::size_t kPiece = 256;
      const auto got = ::getrandom(reinterpret_cast<char*>(pool.data()) + filled, kPiece, 0);
      HF_ASSERT(got == kPiece);
      filled += kPiece;
    }
    used = 0;
  }
  return pool[used++];
}

}  // namespace

std::string make_run_id() {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  unsigned __int128 value = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
  for (int i = 0; i < 5; ++i) value = (value << 16U) | random_bits();
  std::string id(26, '0');
  for (auto digit = id.rbegin(); digit != id.rend(); ++digit, value >>= 5U) {
    *digit = kDigits[static_cast<std::size_t>(value & 31U)];
  }
  return id;
}

}  // namespace hf
