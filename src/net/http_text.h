// The text of requests and answers, as far as Beast leaves it to the server. Pure, but that the
// date is the system's. Thread safety: none.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace hf::net {

// The body of an error that the server itself answers with, in OpenAI's form.
// REQUIRES: nothing in the message that JSON would escape.
[[nodiscard]] std::string error_body(int status, std::string_view message);

// The value of the Date header, written once a second.
class DateText {
 public:
  [[nodiscard]] const std::string& now();

 private:
  std::time_t at_ = 0;
  std::string text_;
};

// Appends a header line, without the characters that could end it.
void put_header(std::string& out, std::string_view name, std::string_view value);

// Of ASCII letters.
[[nodiscard]] std::string lower(std::string_view text);

// Splits a request target into path and query; false if it is neither a path nor an absolute URL
// that names the same host as the Host header. REQUIRES: the request has its headers.
[[nodiscard]] bool read_target(std::string_view target, Request& request);

// Empty if there is nothing unclear about where the body ends, else why it is refused.
[[nodiscard]] std::string_view framing_fault(const Request& request, bool is_old_http);

[[nodiscard]] bool has_no_body(int status);

}  // namespace hf::net
