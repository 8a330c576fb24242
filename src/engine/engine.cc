#include "engine/engine.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <thread>
#include <utility>

#include "base/result.h"
#include "engine/core_lease.h"
#include "engine/model.h"
#include "engine/service.h"
#include "engine/stats.h"
#include "engine/worker.h"
#include "net/event_loop.h"
#include "net/http_server.h"

namespace hf::engine {
namespace {

constexpr int kBadInput = 2;
constexpr std::uint32_t kSmallestContext = 256;

Result<void> validate(const EngineOptions& options) {
  const auto must = [](bool holds, std::string_view what) -> Result<void> {
    if (holds) return {};
    return fail(Code::kInvalidInput, std::string(what));
  };
  HF_CHECK(must(options.context >= kSmallestContext,
                fmt::format("--context must be at least {} tokens.", kSmallestContext)));
  HF_CHECK(must(options.context <= (1U << 24U), "--context must be at most 16777216 tokens."));
  HF_CHECK(must(options.slots >= 1 && options.slots <= 128, "--slots must be from 1 to 128."));
  HF_CHECK(must(options.threads <= 1024, "--threads must be at most 1024."));
  HF_CHECK(
      must(options.queue >= 1 && options.queue <= 100'000, "--queue must be from 1 to 100000."));
  HF_CHECK(must(options.lab.failure_rate >= 0 && options.lab.failure_rate <= 1,
                "--lab-failure-rate must be from 0 to 1."));
  HF_CHECK(must(options.lab.tokens_per_second >= 0, "--lab-rate must not be negative."));
  HF_CHECK(must(options.lab.round_trip.count() >= 0, "--lab-round-trip must not be negative."));
  return check_model_file(options.model_path);
}

// Ends this process with its parent, however that ends: the kernel's signal comes when the parent
// dies, the end of the pipe also when it only lets go. `socket` is removed.
void watch_parent(std::string socket) {
  static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
  std::thread([socket = std::move(socket)] {
    char byte = 0;
    while (true) {
      const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
      if (count > 0 || (count < 0 && errno == EINTR)) continue;
      if (!socket.empty()) static_cast<void>(::unlink(socket.c_str()));
      ::_exit(0);
    }
  }).detach();
}

Result<CoreLease> open_lease(const EngineOptions& options) {
  HF_TRY(std::string directory, core_directory());
  const std::size_t cores = core_count();
  const std::size_t most =
      options.threads == 0 ? cores : std::min<std::size_t>(options.threads, cores);
  return CoreLease::open({.directory = std::move(directory), .cores = cores, .most = most});
}

Worker::Options worker_options(const EngineOptions& options) {
  std::random_device random;
  const bool may_have_answers = !options.lab.cache_directory.empty();
  return {.model_path = options.model_path,
          .slots = options.slots,
          .context = options.context,
          .queue = options.queue,
          .can_embed = options.can_embed,
          .loading = may_have_answers ? Loading::kWhenNeeded : Loading::kAtOnce,
          .seed = (std::uint64_t{random()} << 32U) | random()};
}

Result<Service::Options> service_options(const EngineOptions& options, Loading loading) {
  Service::Options result{.name = options.name.empty()
                                      ? std::filesystem::path(options.model_path).stem().string()
                                      : options.name,
                          .started = std::chrono::duration_cast<std::chrono::seconds>(
                                         std::chrono::system_clock::now().time_since_epoch())
                                         .count(),
                          .queue = options.queue,
                          .loading = loading,
                          .lab = options.lab,
                          .lab_cache = {}};
  if (!options.lab.cache_directory.empty()) {
    HF_TRY(result.lab_cache, LabCache::open(options.lab.cache_directory));
  }
  return result;
}

Result<void> serve(const EngineOptions& options) {
  HF_CHECK(validate(options));
  HF_TRY(CoreLease lease, open_lease(options));
  Worker::Options work = worker_options(options);
  HF_TRY(Service::Options service_setup, service_options(options, work.loading));

  // Declared in the order in which they are needed: the server goes first, the loop last.
  net::EventLoop loop;
  Stats stats;
  std::optional<Error> trouble;
  std::unique_ptr<Service> service;
  std::optional<Worker> worker;
  HF_TRY(const auto server,
         net::HttpServer::listen(loop, options.listen,
                                 [&service](net::Request request, auto responder) {
                                   service->handle(std::move(request), std::move(responder));
                                 }));
  worker.emplace(
      std::move(work), std::move(lease),
      Worker::Listener{.ready =
                           [&loop, &service](const Model& model) {
                             // Through the loop: the service is made after the worker.
                             loop.post([&service, &model] { service->model_is_ready(model); });
                           },
                       .failed =
                           [&loop, &trouble](Error error) {
                             loop.post([&loop, &trouble, error = std::move(error)] {
                               trouble = error;
                               loop.stop();
                             });
                           }},
      stats);
  service = std::make_unique<Service>(loop, *worker, stats, std::move(service_setup));

  loop.on_signal([&loop](int) { loop.stop(); });
  const std::string address = server->address();
  if (options.watches_parent) {
    constexpr std::string_view kUnix = "unix:";
    watch_parent(address.starts_with(kUnix) ? address.substr(kUnix.size()) : std::string());
  }
  fmt::print("listening on {}\n", address);
  std::fflush(stdout);
  loop.run();
  if (trouble) return std::unexpected(*trouble);
  return {};
}

}  // namespace

int run_engine(const EngineOptions& options) {
  const Result<void> served = serve(options);
  if (served) return 0;
  fmt::print(stderr, "hybridflow engine: {}\n", served.error().message);
  return kBadInput;
}

}  // namespace hf::engine
