// The HTTP routes of `hybridflow serve`: chat completions, models, runs, health.
//
// Turns requests into queries of the runtime and finished runs into receipts. It binds no address
// and ends no process: its owner does. docs/server.md says what clients may rely on.
// Thread safety: the loop's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/budget.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/chat_run.h"
#include "serve/problem.h"
#include "serve/receipts.h"
#include "serve/targets.h"
#include "wire/hybrid_request.h"

namespace hf::serve {

struct ServerOptions {
  std::int64_t started = 0;  // Unix seconds at the loop's beginning.
  // Requests must call it by a loopback name: a page whose own name was bent to this machine's
  // address, and which the browser therefore lets through, does not.
  bool is_for_this_machine = false;
  std::size_t runs_max = 512;  // At once; more are refused.
  std::size_t receipts_max = 1000;
  std::size_t receipt_bytes_max = 64 * 1024 * 1024;
};

class Server {
 public:
  // `loop` must outlive the server; `runtime` must not: it must be destroyed before.
  Server(net::EventLoop& loop, Runtime& runtime, const Config& config, ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void handle(const net::Request& request, const std::shared_ptr<net::Responder>& responder);

  // From now on no run is begun, and /ready says so. Calls `idle` once, in a later turn, when none
  // is left. To be called once.
  void drain(std::move_only_function<void()> idle);
  void cancel_all();
  [[nodiscard]] std::size_t running() const { return runs_.size(); }

 private:
  using ResponderPtr = std::shared_ptr<net::Responder>;
  struct Run {
    QueryId query{};
    std::unique_ptr<ChatRun> chat;
  };

  void chat(const net::Request& request, const ResponderPtr& responder);
  void start(wire::HybridRequest request, const Target& target, const ResponderPtr& responder);
  [[nodiscard]] UserQuery query_of(wire::HybridRequest request, const Target& target,
                                   std::vector<std::string>& lowered) const;
  void finish(const std::string& run, const Receipt& receipt);
  void tell_if_idle();
  void cancel(const std::string& run);
  void show_run(std::string_view run, net::Responder& responder) const;
  void cancel_run(const std::string& run, net::Responder& responder);
  void ready(net::Responder& responder) const;
  [[nodiscard]] std::int64_t unix_time() const;

  net::EventLoop& loop_;
  Runtime& runtime_;
  const Targets targets_;
  const Budget budget_;             // Of a query at most.
  const Tokens answer_tokens_max_;  // The same.
  const ServerOptions options_;
  std::map<std::string, Run, std::less<>> runs_;  // Those that are not over, by id.
  Receipts receipts_;
  bool is_draining_ = false;
  std::move_only_function<void()> idle_;  // To be called when nothing runs any more.
};

}  // namespace hf::serve
