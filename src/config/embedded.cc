// data/edge.toml and data/lab.toml as bytes of this program.
//
// ccache:disable (its cache does not see that an embedded file has changed)
#include "config/embedded.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace hf {
namespace {

constexpr char kEdge[] = {
#embed "../../data/edge.toml"
};

constexpr char kLab[] = {
#embed "../../data/lab.toml"
};

}  // namespace

std::string_view embedded_edge() {
  return {kEdge, sizeof kEdge};
}

std::string_view embedded_lab() {
  return {kLab, sizeof kLab};
}

}  // namespace hf
