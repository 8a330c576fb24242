#include "net/http_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace hf::net {
namespace {

std::string_view code_of(int status) {
  switch (status) {
    case 408:
      return "request_timeout";
    case 413:
      return "request_too_large";
    case 417:
      return "expectation_failed";
    case 431:
      return "headers_too_large";
    case 500:
      return "internal_error";
    case 503:
      return "too_many_connections";
    default:
      return "invalid_http";
  }
}

}  // namespace

std::string error_body(int status, std::string_view message) {
  return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":null,"code":"{}"}}}})",
                     message, status < 500 ? "invalid_request_error" : "server_error",
                     code_of(status));
}

const std::string& DateText::now() {
  const std::time_t now = std::time(nullptr);
  if (now == at_) return text_;
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[64];
  text_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  at_ = now;
  return text_;
}

void put_header(std::string& out, std::string_view name, std::string_view value) {
  const auto put_clean = [&out](std::string_view text) {
    std::ranges::copy_if(text, std::back_inserter(out),
                         [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; });
  };
  put_clean(name);
  out += ": ";
  put_clean(value);
  out += "\r\n";
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool read_target(std::string_view target, Request& request) {
  if (target.starts_with("http://") || target.starts_with("https://")) {
    target.remove_prefix(target.find("://") + 3);
    const std::size_t slash = std::min(target.find_first_of("/?"), target.size());
    if (lower(target.substr(0, slash)) != lower(request.header("host"))) return false;
    target.remove_prefix(slash);
    if (target.empty()) target = "/";
  }
  if ((!target.starts_with('/') && target != "*") || target.contains('#')) return false;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  return true;
}

std::string_view framing_fault(const Request& request, bool is_old_http) {
  // Beast takes a list of equal lengths; others take the first or the last of a list.
  if (request.header("content-length").find_first_not_of("0123456789") != std::string_view::npos) {
    return "The request's Content-Length is not a number.";
  }
  const auto codings = std::ranges::count_if(
      request.headers, [](const auto& header) { return header.first == "transfer-encoding"; });
  const bool is_known = codings == 0 || (codings == 1 && !is_old_http &&
                                         lower(request.header("transfer-encoding")) == "chunked");
  return is_known ? "" : "The request's Transfer-Encoding is not known here.";
}

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace hf::net
