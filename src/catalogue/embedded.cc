// data/models.toml as bytes of this program.
//
// ccache:disable (its cache does not see that an embedded file has changed)
#include "catalogue/embedded.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace hf {
namespace {

constexpr char kModels[] = {
#embed "../../data/models.toml"
};

}  // namespace

std::string_view embedded_catalogue() {
  return {kModels, sizeof kModels};
}

}  // namespace hf
