// One HTTP call inside libcurl: its handle, its limits and what has come of it so far.
//
// Used by the transfer thread alone, after its construction.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/call_watch.h"
#include "net/http_client.h"

namespace hf::net {

class Transfer {
 public:
  // Takes what has come.
  struct Sink {
    std::function<void(HttpClient::Id id, CallHead head)> head;
    std::function<void(HttpClient::Id id, int status, std::string_view bytes)> bytes;
  };

  Transfer(HttpClient::Id id, Call call, SteadyTime started);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Prepares the handle; an error if the call cannot be made at all. `sink` must outlive this.
  [[nodiscard]] std::optional<CallResult> prepare(const Sink& sink);

  [[nodiscard]] HttpClient::Id id() const { return id_; }
  [[nodiscard]] CURL* easy() const { return easy_.get(); }

  // When the next of first-byte, gap and total timeout is due, as things stand.
  [[nodiscard]] SteadyTime deadline() const { return watch_.deadline(); }
  // Makes `last` the latest of these moments.
  void end_until(SteadyTime last) { watch_.end_until(last); }
  // What the caller is told when that moment has passed, and when libcurl says that it is over.
  [[nodiscard]] CallResult timed_out() const;
  [[nodiscard]] CallResult finished(CURLcode code) const;

 private:
  static std::size_t on_upload(char* to, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  [[nodiscard]] std::string words_of(CURLcode code) const;
  [[nodiscard]] CallResult failure(CallError error, std::string message) const;
  [[nodiscard]] int status() const;
  [[nodiscard]] std::optional<Duration> retry_after() const;
  void tell_head();
  void set_method();
  [[nodiscard]] bool set_headers();
  void set_route();

  struct EasyCleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListCleanup {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  const HttpClient::Id id_;
  Call call_;
  CallWatch watch_;
  std::unique_ptr<curl_slist, ListCleanup> headers_;
  std::unique_ptr<CURL, EasyCleanup> easy_;  // Goes first: it refers to the rest.
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  const Sink* sink_ = nullptr;
  std::size_t uploaded_ = 0;
  std::uint64_t header_received_ = 0;
  bool has_head_ = false;
  std::uint64_t received_ = 0;
  std::string too_large_;  // What is, in words; empty if nothing.
};

}  // namespace hf::net
