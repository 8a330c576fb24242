#include "net/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace hf::net {
namespace {

constexpr std::uint64_t kHeaderMax = 256 * 1024;  // With those of interim answers.

bool is_loopback(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), curl_url_cleanup);
  char* text = nullptr;
  if (!parts || curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parts.get(), CURLUPART_HOST, &text, 0) != CURLUE_OK) {
    return false;
  }
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
  const std::string_view host(text);
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
         host == "[::1]";
}

// Whether the failure lies in the way to the server: nothing of the request was sent.
bool is_connect_failure(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PROXY:
      return true;
    default:
      return false;
  }
}

}  // namespace

Transfer::Transfer(HttpClient::Id id, Call call, SteadyTime started)
    : id_(id), call_(std::move(call)), watch_(call_, started), easy_(curl_easy_init()) {
  call_.connect_timeout = bounded(call_.connect_timeout);
}

std::optional<CallResult> Transfer::prepare(const Sink& sink) {
  if (!easy_) return failure(CallError::kConnect, "libcurl could not make a handle");
  sink_ = &sink;
  CURL* const easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // Never wait for a resolver that hangs.
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "hybridflow");
  // Nothing else is asked for, but what comes compressed all the same is understood.
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  const auto connect_time = std::max<long>(1, static_cast<long>(call_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_time);
  if (!is_one_line(call_.url) || curl_easy_setopt(easy, CURLOPT_URL, call_.url.c_str()) != 0) {
    return failure(CallError::kConnect, "the URL is not valid");
  }
  set_method();
  set_route();
  if (!set_headers()) return failure(CallError::kConnect, "a header contains a line break");
  return std::nullopt;
}

void Transfer::set_method() {
  CURL* const easy = easy_.get();
  if (call_.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (call_.method != "GET" || !call_.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call_.body.size()));
    // By a callback that cannot rewind: when a kept connection dies before the answer, libcurl
    // would send the request once more by itself, and the endpoint would charge for both.
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call_.method.c_str());
  }
}

void Transfer::set_route() {
  CURL* const easy = easy_.get();
  if (!call_.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call_.unix_socket.c_str());
  }
  // CURLOPT_NOPROXY would replace the user's own no_proxy; an empty proxy only switches it off
  // here.
  if (!call_.unix_socket.empty() || is_loopback(call_.url)) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  }
  // OpenSSL's own variable, which libcurl passes over: how a user adds a private authority.
  if (const char* authorities = std::getenv("SSL_CERT_FILE");
      authorities != nullptr && *authorities != '\0') {
    curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
  }
}

bool Transfer::set_headers() {
  // libcurl's own ideas of these two would cost a round trip and tell a lie.
  std::vector<std::string> lines{"Expect:", "Content-Type:"};
  for (const auto& [name, value] : call_.headers) {
    if (!is_one_line(name) || !is_one_line(value)) return false;
    std::string line = value.empty() ? name + ";" : fmt::format("{}: {}", name, value);
    const bool is_type = name.size() == 12 && curl_strnequal(name.c_str(), "content-type", 12);
    if (is_type) {
      lines[1] = std::move(line);
    } else {
      lines.push_back(std::move(line));
    }
  }
  for (const std::string& line : lines) {
    // Appending gives a new head only to an empty list.
    curl_slist* const head = curl_slist_append(headers_.get(), line.c_str());
    if (!headers_) headers_.reset(head);
  }
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
  return true;
}

std::size_t Transfer::on_upload(char* to, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t length = transfer.call_.body.copy(to, size * count, transfer.uploaded_);
  transfer.uploaded_ += length;
  return length;
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(bytes, size * count);
  transfer.header_received_ += line.size();
  if (transfer.header_received_ > kHeaderMax) {
    transfer.too_large_ = fmt::format("the header is larger than {} bytes", kHeaderMax);
    return CURL_WRITEFUNC_ERROR;
  }
  if (line == "\r\n" || line == "\n") transfer.tell_head();
  return line.size();
}

// At the end of every head: those of interim answers and trailers are not the answer's.
void Transfer::tell_head() {
  CallHead head{.status = status()};
  if (has_head_ || (head.status < 200 && head.status != 101)) return;
  has_head_ = true;
  curl_header* header = nullptr;
  while ((header = curl_easy_nextheader(easy_.get(), CURLH_HEADER, -1, header)) != nullptr) {
    keep_header(head, header->name, header->value);
  }
  sink_->head(id_, std::move(head));
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t length = size * count;
  if (length > transfer.call_.body_limit - transfer.received_) {
    transfer.too_large_ =
        fmt::format("the answer is larger than {} bytes", transfer.call_.body_limit);
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.received_ += length;
  transfer.watch_.take_bytes(std::chrono::steady_clock::now());
  transfer.sink_->bytes(transfer.id_, transfer.status(), {bytes, length});
  return length;
}

CallResult Transfer::timed_out() const {
  CallResult late = watch_.timed_out();
  return failure(late.error, std::move(late.message));
}

std::string Transfer::words_of(CURLcode code) const {
  switch (code) {
    case CURLE_OUT_OF_MEMORY:  // So libcurl calls its own limit of a line.
      return "a line of the header is too long";
    case CURLE_SEND_FAIL_REWIND:
      return "the connection was closed before an answer came";
    default:
      return error_text_.front() != '\0' ? error_text_.data() : curl_easy_strerror(code);
  }
}

CallResult Transfer::finished(CURLcode code) const {
  if (code == CURLE_OK) return failure(CallError::kNone, {});
  if (!too_large_.empty()) return failure(CallError::kTooLarge, too_large_);
  if (code == CURLE_OPERATION_TIMEDOUT) {  // The only one of the four that libcurl watches.
    CallResult late = connect_timed_out(call_.connect_timeout);
    return failure(late.error, std::move(late.message));
  }
  const std::string text = words_of(code);
  long sent = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &sent);
  if (is_connect_failure(code) || sent == 0) return failure(CallError::kConnect, text);
  const bool is_not_http = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
                           code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_OUT_OF_MEMORY;
  return failure(is_not_http ? CallError::kProtocol : CallError::kCut, text);
}

CallResult Transfer::failure(CallError error, std::string message) const {
  CallResult result{.error = error,
                    .message = std::move(message),
                    .status = status(),
                    .retry_after = retry_after(),
                    .content_type = {}};
  const char* type = nullptr;
  if (easy_ && curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type) {
    result.content_type = type;
  }
  return result;
}

int Transfer::status() const {
  long code = 0;
  if (easy_) curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
  return static_cast<int>(code);
}

std::optional<Duration> Transfer::retry_after() const {
  curl_header* header = nullptr;
  if (!easy_ || curl_easy_header(easy_.get(), "Retry-After", 0, CURLH_HEADER, -1, &header) != 0) {
    return std::nullopt;
  }
  return read_retry_after(header->value);
}

}  // namespace hf::net
