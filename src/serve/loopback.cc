#include "serve/loopback.h"

namespace hf::serve {

std::string_view host_of(std::string_view address) {
  if (address.starts_with('[')) return address.substr(0, address.find(']') + 1);
  return address.substr(0, address.find(':'));
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  // Digits and dots only, so that no name passes for an address.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

}  // namespace hf::serve
