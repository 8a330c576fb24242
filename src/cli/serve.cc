#include "cli/serve.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/environment.h"
#include "cli/history.h"
#include "cli/ledger.h"
#include "cli/output.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "runtime/runtime.h"
#include "serve/loopback.h"
#include "serve/server.h"
#include "store/key_store.h"

namespace hf::cli {
namespace {

namespace fs = std::filesystem;

// After the last query has ended, for clients that are slow to take its answer.
constexpr Duration kFlushTime = std::chrono::seconds(5);

bool is_socket_file(std::string_view address) {
  return address.starts_with("unix:");
}

bool is_local(std::string_view address) {
  return is_socket_file(address) || serve::is_loopback(serve::host_of(address));
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

Result<RouterModel> router_model(const Config& config) {
  HF_TRY(RouterModel model, load_router_model(config.weights));
  return with_learned(std::move(model), config.history);
}

Result<std::unique_ptr<Runtime>> make_runtime(net::EventLoop& loop, const Config& config,
                                              RouterModel model, const fs::path& ledger) {
  HF_TRY(RuntimeOptions options, runtime_options());
  options.model = std::move(model);
  options.ledger_path = ledger;
  options.opens_ledger = true;
  return Runtime::create(loop, config, options);
}

// What was asked for in the configuration, and is in force with the next run.
Result<void> reload(net::EventLoop& loop, const ServeOptions& options, const fs::path& ledger,
                    serve::Server& server, net::HttpServer& http, bool has_tls) {
  HF_TRY(const Config config, configure(options.config));
  if (config.serve.tls.has_value() != has_tls) {
    return fail(Code::kInvalidInput,
                "TLS is turned on and off at the start only; stop the server and start it again.");
  }
  HF_TRY(RouterModel model, router_model(config));
  HF_TRY(auto runtime, make_runtime(loop, config, std::move(model), ledger));
  if (config.serve.tls)
    HF_CHECK(http.reload_tls({config.serve.tls->certificate, config.serve.tls->key}));
  server.use(std::move(runtime), config);
  return {};
}

net::ServerLimits limits_of(const ServeConfig& serve) {
  const auto milliseconds = [](Duration duration) {
    return std::chrono::ceil<std::chrono::milliseconds>(duration);
  };
  return {.connections = serve.connections,
          .header_bytes = serve.header_bytes,
          .body_bytes = serve.body_bytes,
          .buffered_bytes = serve.buffered_bytes,
          .header_time = milliseconds(serve.header_time),
          .body_time = milliseconds(serve.body_time),
          .idle_time = milliseconds(serve.idle_time)};
}

// Null if runs are not to be kept, or cannot be: that keeps nobody from asking.
std::unique_ptr<serve::RunKeeper> make_keeper(net::EventLoop& loop, const Config& config,
                                              const std::string& weights) {
  if (!config.history.enabled) return nullptr;
  auto history = open_history();
  if (!history) {
    complain(fmt::format("runs are not kept: {}", history.error().message), 0);
    return nullptr;
  }
  return std::make_unique<serve::RunKeeper>(loop, *std::move(history), config.history, weights);
}

Result<void> serve_until_signal(const ServeOptions& options, const Config& config,
                                store::KeyStore& keys, const fs::path& ledger, Duration drain) {
  net::EventLoop loop;
  // A signal before all is set up finds nothing that would have to be settled.
  std::move_only_function<void(int)> take_signal = [](int) { std::_Exit(kInterrupted); };
  loop.on_signal([&](int signal) { take_signal(signal); });
  HF_TRY(RouterModel model, router_model(config));
  const auto keeper = make_keeper(loop, config, model.digest);
  HF_TRY(auto runtime, make_runtime(loop, config, std::move(model), ledger));
  serve::Server server(loop, std::move(runtime), config,
                       {.started = unix_seconds(),
                        .is_for_this_machine = !options.allow_anyone && is_local(options.listen) &&
                                               !is_socket_file(options.listen),
                        .keys = &keys,
                        .keeper = keeper.get()});
  std::optional<net::ServerTls> tls;
  if (config.serve.tls) tls = net::ServerTls{config.serve.tls->certificate, config.serve.tls->key};
  HF_TRY(auto http, net::HttpServer::listen(
                        loop, options.listen,
                        [&server](const net::Request& request,
                                  const std::shared_ptr<net::Responder>& responder) {
                          server.handle(request, responder);
                        },
                        limits_of(config.serve), tls));
  say_without_cloud(options.config, config);
  Ending ending(loop, server, *http, drain);
  take_signal = [&](int signal) {
    if (signal != SIGHUP) return ending.begin();
    const auto reloaded = reload(loop, options, ledger, server, *http, tls.has_value());
    complain(reloaded ? std::string("the configuration was read again and is in force")
                      : "the configuration stays as it was: " + reloaded.error().message,
             0);
  };
  show(stdout, fmt::format("listening on {}\n", http->address()));
  std::fflush(stdout);
  server.runtime().warm_up();
  loop.run();
  http.reset();
  return {};
}

int fail_of(const Error& error) {
  return complain(error.message, error.code == Code::kInvalidInput ? kBadUsage : kFailed);
}

}  // namespace

int run_serve(const ServeOptions& options) {
  const auto drain = parse_duration(options.drain);
  if (!drain) return complain("--drain: " + drain.error().message, kBadUsage);
  const auto config = configure(options.config);
  if (!config) return fail_of(config.error());
  const auto ledger = ledger_path({.store = "", .config = options.config.file});
  if (!ledger) return fail_of(ledger.error());
  // An empty file is no new ledger: whoever emptied it took keys and budgets away.
  std::error_code ignored;
  if (fs::exists(*ledger, ignored)) {
    if (const auto expected = expect_ledger(*ledger); !expected) return fail_of(expected.error());
  }
  auto keys = store::KeyStore::open(*ledger);
  if (!keys) return fail_of(keys.error());
  const auto all = keys->list();
  if (!all) return fail_of(all.error());
  // Budgets of periods long past; what was spent in them stays in the scopes above.
  if (const auto pruned = keys->prune(unix_seconds()); !pruned) return fail_of(pruned.error());
  if (all->empty() && !options.allow_anyone && !is_local(options.listen)) {
    return complain(fmt::format("{} can be reached by others, and there are no keys to keep them "
                                "out: make one (`hybridflow keys add`), listen on 127.0.0.1, or "
                                "say --allow-anyone.",
                                options.listen),
                    kBadUsage);
  }
  const auto served = serve_until_signal(options, *config, *keys, *ledger, *drain);
  return served ? 0 : fail_of(served.error());
}

}  // namespace hf::cli
