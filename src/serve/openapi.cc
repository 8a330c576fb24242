// openapi.json as bytes of this program.
//
// ccache:disable (its cache does not see that an embedded file has changed)
#include "serve/openapi.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace hf::serve {
namespace {

constexpr char kOpenApi[] = {
#embed "openapi.json"
};

}  // namespace

std::string_view openapi() {
  return {kOpenApi, sizeof kOpenApi};
}

}  // namespace hf::serve
