// data/routing/weights.bin as bytes of this program.
//
// ccache:disable (its cache does not see that an embedded file has changed)
#include "learn/shipped.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace hf::learn {
namespace {

// Bytes above 127 do not fit into a char as they are written.
constexpr unsigned char kShipped[] = {
#embed "../../data/routing/weights.bin"
};

}  // namespace

std::string_view shipped_weights() {
  return {reinterpret_cast<const char*>(kShipped), sizeof kShipped};
}

}  // namespace hf::learn
