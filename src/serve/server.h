// The HTTP routes of `hybridflow serve`: chat completions, embeddings, models, runs, budgets,
// health and metrics.
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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/access.h"
#include "serve/client_run.h"
#include "serve/idempotency.h"
#include "serve/metrics.h"
#include "serve/problem.h"
#include "serve/run_book.h"
#include "serve/run_keeper.h"
#include "serve/targets.h"
#include "wire/hybrid_request.h"

namespace hf::serve {

inline constexpr std::string_view kJson = "application/json";

struct ServerOptions {
  std::int64_t started = 0;  // Unix seconds at the loop's beginning.
  // Requests must call it by a loopback name: a page whose own name was bent to this machine's
  // address, and which the browser therefore lets through, does not.
  bool is_for_this_machine = false;
  std::size_t receipts_max = 1000;
  std::size_t receipt_bytes_max = 64 * 1024 * 1024;
  Duration idle = std::chrono::seconds(10);  // Until a key's unused lease is given back.
  store::KeyStore* keys = nullptr;           // Null: everybody may ask. Must outlive the server.
  RunKeeper* keeper = nullptr;               // Null: runs are not kept. Must outlive the server.
};

class Server {
 public:
  // `loop` must outlive the server.
  Server(net::EventLoop& loop, std::unique_ptr<Runtime> runtime, const Config& config,
         ServerOptions options = {});
  // Settles what runs.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void handle(const net::Request& request, const std::shared_ptr<net::Responder>& responder);

  // New runs use these from now on. The runtime before ends with its last run.
  void use(std::unique_ptr<Runtime> runtime, const Config& config);
  [[nodiscard]] Runtime& runtime() { return *service_->runtime; }

  // From now on no run is begun, and /ready says so. Calls `idle` once, in a later turn, when none
  // is left. To be called once.
  void drain(std::move_only_function<void()> idle);
  void cancel_all();
  [[nodiscard]] std::size_t running() const { return runs_.size(); }

 private:
  using ResponderPtr = std::shared_ptr<net::Responder>;
  using Read = std::expected<wire::HybridRequest, wire::RequestFault> (*)(std::string_view,
                                                                          const Targets&);
  // What one configuration makes of the server.
  struct Service {
    Service(std::unique_ptr<Runtime> made, const Config& configured)
        : config(configured), targets(configured), runtime(std::move(made)) {}
    const Config config;
    const Targets targets;
    const std::unique_ptr<Runtime> runtime;
  };
  struct Run {
    std::shared_ptr<Service> service;  // Outlives the rest.
    Caller caller;
    Access::Ticket ticket;
    QueryId query{};
    std::string question;
    bool is_forwarded = false;
    std::unique_ptr<ClientRun> client;
  };
  struct Ask {
    const net::Request& request;
    ResponderPtr responder;
    Caller caller;
    std::string_view part;  // Of the path: a run's id, or a model's name.
  };
  struct Route {
    std::string_view method;
    std::string_view path;  // {run} stands for one part, {model} for one or more.
    void (Server::*handle)(const Ask&);
    bool is_public = false;
  };
  static const Route kRoutes[];

  // server.cc
  void dispatch(const Route& route, std::string_view part, const net::Request& request,
                const ResponderPtr& responder);
  void refuse(const ResponderPtr& responder, const Problem& problem, net::Headers headers = {});
  void list_models(const Ask& ask);
  void show_model(const Ask& ask);
  void show_health(const Ask& ask);
  void show_ready(const Ask& ask);
  void show_metrics(const Ask& ask);
  void show_openapi(const Ask& ask);
  void show_budgets(const Ask& ask);
  void tell_if_idle();
  void cancel(std::string_view run);
  [[nodiscard]] std::int64_t unix_time() const;

  // requests.cc
  void chat(const Ask& ask);
  void embed(const Ask& ask);
  std::optional<Problem> begin(const Ask& ask, std::string_view path);
  std::optional<Problem> check(const wire::HybridRequest& request, const Target& target) const;
  void start(wire::HybridRequest request, const Target& target, const Ask& ask,
             Access::Ticket ticket, std::string_view path);
  [[nodiscard]] UserQuery query_of(const wire::HybridRequest& request, const Target& target,
                                   std::vector<std::string>& lowered) const;
  void write_prompt(UserQuery& query, wire::HybridRequest request,
                    std::vector<std::string>& lowered) const;
  void forward(UserQuery& query, wire::HybridRequest request, const Ask& ask,
               std::string_view path) const;
  void finish(std::string_view run, Receipt receipt);
  bool may_keep(const Run& run);
  void sweep_later();

  // runs.cc
  void list_runs(const Ask& ask);
  void show_run(const Ask& ask);
  void cancel_run(const Ask& ask);
  void follow_run(const Ask& ask);
  void take_feedback(const Ask& ask);
  [[nodiscard]] const Run* running_for(const Ask& ask) const;
  [[nodiscard]] const FinishedRun* finished_for(const Ask& ask) const;

  net::EventLoop& loop_;
  const ServerOptions options_;
  std::shared_ptr<Service> service_;
  Access access_;
  Metrics metrics_;
  Idempotency idempotency_{{}};
  std::map<std::string, Run, std::less<>> runs_;  // Those that are not over, by id.
  RunBook book_;
  std::int64_t kept_in_ = 0;      // The second in which
  std::uint32_t kept_count_ = 0;  // so many runs that were passed on went to the history.
  std::unique_ptr<net::EventLoop::Timer> sweep_;  // While something may have to be given back.
  bool is_draining_ = false;
  std::move_only_function<void()> idle_;  // To be called when nothing runs any more.
};

}  // namespace hf::serve
