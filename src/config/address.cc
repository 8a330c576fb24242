#include "config/address.h"

#include <algorithm>
#include <cstdint>

#include "base/ascii.h"
#include "base/number.h"

namespace hf {
namespace {

constexpr std::size_t kNameBytesMax = 64;

bool consists_of(std::string_view text, std::string_view marks) {
  return std::ranges::all_of(
      text, [marks](char c) { return is_letter(c) || is_digit(c) || marks.contains(c); });
}

bool is_port(std::string_view text) {
  return parse_number<std::uint16_t>(text).value_or(0) > 0;
}

std::optional<std::string> fault_of_authority(std::string_view authority) {
  if (authority.contains('@')) return "without a user name and password; keys go by api_key_env";
  std::string_view port;
  std::string_view host = authority;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return "with a ']' after the IPv6 address";
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (host.empty() || !consists_of(host, ":.")) return "with an IPv6 address in the brackets";
  } else {
    host = authority.substr(0, authority.find(':'));
    port = authority.substr(host.size());
    if (host.empty()) return "with a host";
    if (!consists_of(host, ".-_")) return "with a host of letters, digits, '.', '-' and '_'";
  }
  if (port.empty()) return std::nullopt;
  if (!port.starts_with(':') || !is_port(port.substr(1))) return "with a port from 1 to 65535";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> fault_of_url(std::string_view url) {
  constexpr std::string_view kCall = "/chat/completions";
  const bool is_plain = url.starts_with("http://");
  if (!is_plain && !url.starts_with("https://")) {
    return "an address that starts with http:// or https://";
  }
  if (std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~'; })) {
    return "an address without spaces and control characters, in ASCII";
  }
  if (url.find_first_of("?#") != std::string_view::npos) {
    return "an address without a query ('?') and a fragment ('#')";
  }
  const std::string_view rest = url.substr(is_plain ? 7 : 8);
  if (auto fault = fault_of_authority(rest.substr(0, rest.find('/')))) {
    return "an address " + *fault;
  }
  if (url.ends_with(kCall) || url.substr(0, url.size() - 1).ends_with(kCall)) {
    return "the base address, without /chat/completions: that is added to it";
  }
  return std::nullopt;
}

bool is_key(std::string_view key) {
  return std::ranges::all_of(key, [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_endpoint_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && consists_of(name, "._-");
}

}  // namespace hf
