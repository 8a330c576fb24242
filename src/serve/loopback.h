// Which addresses only this machine can reach. Thread safety: none needed, there is no state.
#pragma once

#include <string_view>

namespace hf::serve {

// The host of "HOST:PORT" or "HOST"; an IPv6 address keeps its brackets.
std::string_view host_of(std::string_view address);

// localhost, 127.0.0.0/8 in digits, or [::1].
bool is_loopback(std::string_view host);

}  // namespace hf::serve
