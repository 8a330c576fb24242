#include "cli/serve.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/loopback.h"
#include "serve/server.h"

namespace hf::cli {
namespace {

// Of a request; larger ones are refused.
constexpr std::uint64_t kBodyBytesMax = 4 * 1024 * 1024;
// After the last query has ended, for clients that are slow to take its answer.
constexpr Duration kFlushTime = std::chrono::seconds(5);

bool is_socket_file(std::string_view address) {
  return address.starts_with("unix:");
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The end, in order: no new connections and runs; what runs may end; what is left is cancelled;
// what does not take its answer is cut.
class Ending {
 public:
  Ending(net::EventLoop& loop, serve::Server& server, net::HttpServer& http, Duration drain)
      : loop_(loop), server_(server), http_(http), drain_(drain) {}

  void begin() {
    if (std::exchange(has_begun_, true)) std::_Exit(kInterrupted);  // Asked twice.
    complain(fmt::format("ending; {} running", server_.running()), 0);
    server_.drain([this] { end_if_all_is_over(); });
    http_.drain([this] { end_if_all_is_over(); });
    timer_ = loop_.at(loop_.now() + drain_, [this] {
      server_.cancel_all();
      last_timer_ = loop_.at(loop_.now() + kFlushTime, [this] { loop_.stop(); });
    });
  }

 private:
  // No run is left, and then no connection; or the other way about.
  void end_if_all_is_over() {
    if (--awaited_ == 0) loop_.stop();
  }

  net::EventLoop& loop_;
  serve::Server& server_;
  net::HttpServer& http_;
  const Duration drain_;
  std::unique_ptr<net::EventLoop::Timer> timer_;
  std::unique_ptr<net::EventLoop::Timer> last_timer_;
  int awaited_ = 2;
  bool has_begun_ = false;
};

Result<void> serve_until_signal(const ServeOptions& options, const Config& config,
                                const RouterModel& model, Duration drain) {
  HF_TRY(RuntimeOptions runtime_options, runtime_options());
  runtime_options.model = model;
  net::EventLoop loop;
  // A signal before all is set up finds nothing that would have to be settled.
  std::move_only_function<void()> end = [] { std::_Exit(kInterrupted); };
  loop.on_signal([&](int) { end(); });
  HF_TRY(auto runtime, Runtime::create(loop, config, runtime_options));
  serve::Server server(
      loop, *runtime, config,
      {.started = unix_seconds(),
       .is_for_this_machine = !options.allow_anyone && !is_socket_file(options.listen)});
  HF_TRY(auto http,
         net::HttpServer::listen(loop, options.listen,
                                 [&server](const net::Request& request,
                                           const std::shared_ptr<net::Responder>& responder) {
                                   server.handle(request, responder);
                                 },
                                 {.body_bytes = kBodyBytesMax}));
  say_without_cloud(options.config, config);
  Ending ending(loop, server, *http, drain);
  end = [&ending] { ending.begin(); };
  show(stdout, fmt::format("listening on {}\n", http->address()));
  std::fflush(stdout);
  runtime->warm_up();
  loop.run();
  http.reset();
  runtime.reset();  // Settles; the server, which listens to its queries, must still be there.
  return {};
}

}  // namespace

int run_serve(const ServeOptions& options) {
  if (!options.allow_anyone && !is_socket_file(options.listen) &&
      !serve::is_loopback(serve::host_of(options.listen))) {
    return complain(
        fmt::format("{} can be reached by others, and there are no keys yet to keep them out: "
                    "listen on 127.0.0.1, or say --allow-anyone.",
                    options.listen),
        kBadUsage);
  }
  const auto drain = parse_duration(options.drain);
  if (!drain) return complain("--drain: " + drain.error().message, kBadUsage);
  const auto config = configure(options.config);
  if (!config) return complain(config.error().message, kBadUsage);
  auto model = load_router_model(config->weights);
  if (!model) return complain(model.error().message, kBadUsage);
  const RouterModel learned = with_learned(*std::move(model), config->history);
  const auto served = serve_until_signal(options, *config, learned, *drain);
  if (!served) {
    return complain(served.error().message,
                    served.error().code == Code::kInvalidInput ? kBadUsage : kFailed);
  }
  return 0;
}

}  // namespace hf::cli
