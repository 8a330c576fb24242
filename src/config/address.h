// Addresses and keys of services as the configuration may have them. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hf {

// What an address must be but is not ("… with a host"); nothing if it is the base of an
// OpenAI-compatible service: http or https, host, port if needed, path.
std::optional<std::string> fault_of_url(std::string_view url);

// Whether a key can be sent in a header as it is.
bool is_key(std::string_view key);

// Whether a name can stand in receipts, messages and file names: [A-Za-z0-9._-], 1 to 64 of them.
bool is_endpoint_name(std::string_view name);

}  // namespace hf
