#include "cli/doctor.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "catalogue/store.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "runtime/chat_call.h"
#include "runtime/engine_supervisor.h"
#include "runtime/runtime.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

// One finding: what was looked at, how it is, and what to do if it is not well.
struct Finding {
  std::string what;
  bool is_well = true;
  std::string how;
  std::string remedy;
};

struct Speed {
  double first_token_seconds = 0;
  double tokens_per_second = 0;
};

constexpr std::int64_t kProbeTokens = 48;

// Asks an endpoint for a few tokens and measures.
class Probe {
 public:
  Probe(net::EventLoop& loop, net::HttpClient& client) : loop_(loop), client_(client) {}

  Result<Speed> run(net::Call call, const std::string& model) {
    wire::ChatRequest request;
    request.model = model;
    request.messages = {{"user", "Count from one to forty in words, separated by commas."}};
    request.stream = true;
    request.max_tokens = Tokens(kProbeTokens);
    request.temperature = 0;
    call.url += "/chat/completions";
    call.headers.emplace_back("Content-Type", "application/json");
    call.body = wire::write_chat_request(request);

    ChatCall::Ended ended;
    TimePoint first{};
    TimePoint last{};
    const TimePoint begun = loop_.now();
    std::uint32_t pieces = 0;
    ChatCall chat(client_, std::move(call),
                  {.on_text =
                       [&](std::string_view) {
                         last = loop_.now();
                         if (pieces++ == 0) first = last;
                       },
                   .on_end =
                       [&](const ChatCall::Ended& result) {
                         ended = result;
                         loop_.stop();
                       }});
    loop_.run();
    if (ended.failure != Failure::kNone) {
      return fail(Code::kUnavailable, fmt::format("{}: {}", name_of(ended.failure), ended.detail));
    }
    const double span = to_seconds(last - first);
    return Speed{.first_token_seconds = to_seconds(first - begun),
                 .tokens_per_second = pieces > 1 && span > 0 ? (pieces - 1) / span : 0};
  }

 private:
  net::EventLoop& loop_;
  net::HttpClient& client_;
};

Finding probe_result(std::string what, const Result<Speed>& speed, std::string remedy) {
  if (!speed) return {std::move(what), false, speed.error().message, std::move(remedy)};
  return {std::move(what), true,
          fmt::format("answers; first token after {:.2f} s, then {:.0f} tokens/s",
                      speed->first_token_seconds, speed->tokens_per_second),
          ""};
}

Finding check_engine(net::EventLoop& loop, net::HttpClient& client, const EndpointConfig& endpoint,
                     const RuntimeOptions& paths) {
  const std::string what = fmt::format("endpoint {} ({}, engine {}{})", endpoint.endpoint.name,
                                       wire::name_of(endpoint.endpoint.tier),
                                       endpoint.engine->model, endpoint.lab ? ", lab" : "");
  const std::string remedy =
      fmt::format("See what 'hybridflow engine {}' says; if the model is damaged, fetch it again.",
                  endpoint.engine->model);
  auto supervisor = make_engine_supervisor(loop, client, endpoint, paths);
  if (!supervisor) return {what, false, supervisor.error().message, ""};
  Result<EngineAddress> address = fail(Code::kUnavailable, "the engine did not start");
  (*supervisor)->when_up([&](Result<EngineAddress> result) {
    address = std::move(result);
    loop.stop();
  });
  if (!address) loop.run();
  if (!address) return {what, false, address.error().message, remedy};
  Probe probe(loop, client);
  net::Call call = engine_call(*address);
  auto speed = probe.run(std::move(call), endpoint.model);
  // The first answer waits for the model to load; the second shows the speed.
  if (speed) speed = probe.run(engine_call(*address), endpoint.model);
  return probe_result(what, speed, remedy);
}

Finding check_remote(net::EventLoop& loop, net::HttpClient& client,
                     const EndpointConfig& endpoint) {
  const std::string what =
      fmt::format("endpoint {} ({}, {} at {})", endpoint.endpoint.name,
                  wire::name_of(endpoint.endpoint.tier), endpoint.model, endpoint.url);
  net::Call call;
  call.url = endpoint.url;
  call.total_timeout = std::chrono::seconds(30);
  if (!endpoint.api_key.empty())
    call.headers.emplace_back("Authorization", "Bearer " + endpoint.api_key);
  Probe probe(loop, client);
  return probe_result(what, probe.run(std::move(call), endpoint.model),
                      "Check url, model and key of this endpoint in the configuration.");
}

std::vector<Finding> check_models() {
  std::vector<Finding> findings;
  const auto directory = model_directory([](const char* name) { return std::getenv(name); });
  if (!directory) return {{"models", false, directory.error().message, ""}};
  for (const Model& model : catalogue()) {
    const ModelState state = quick_state(*directory, model);
    const std::string what = "model " + model.name;
    if (state == ModelState::kOk) {
      findings.push_back({what, true, model_path(*directory, model), ""});
    } else {
      // A model that nothing uses may be missing; a damaged one is always wrong.
      findings.push_back({what, state == ModelState::kMissing,
                          state == ModelState::kMissing ? "not here" : "damaged",
                          "hybridflow models pull " + model.name});
    }
  }
  return findings;
}

void print_findings(const std::vector<Finding>& findings, bool as_json) {
  if (as_json) {
    wire::json::array array;
    for (const Finding& finding : findings) {
      array.push_back({{"what", finding.what},
                       {"well", finding.is_well},
                       {"how", finding.how},
                       {"remedy", finding.remedy}});
    }
    fmt::print("{}\n", wire::to_text(wire::json::object{{"findings", std::move(array)}},
                                     wire::Layout::kIndented));
    return;
  }
  for (const Finding& finding : findings) {
    show(stdout, fmt::format("{:<5} {}: {}\n", finding.is_well ? "ok" : "WRONG", finding.what,
                             finding.how));
    if (!finding.remedy.empty()) show(stdout, fmt::format("      -> {}\n", finding.remedy));
  }
}

}  // namespace

int run_doctor(const DoctorOptions& options) {
  const auto config = configure(options.config);
  if (!config) return complain(config.error().message, kBadUsage);
  const auto paths = runtime_options();
  if (!paths) return complain(paths.error().message, kFailed);

  std::vector<Finding> findings;
#ifdef HF_ENGINE
  findings.push_back({"program", true,
                      fmt::format("hybridflow {} with the local engine; {} cores", HF_VERSION,
                                  std::thread::hardware_concurrency()),
                      ""});
#else
  findings.push_back(
      {"program", true, fmt::format("hybridflow {} without a local engine", HF_VERSION), ""});
#endif
  for (Finding& finding : check_models()) findings.push_back(std::move(finding));
  net::EventLoop loop;
  const auto client = net::HttpClient::create(loop);
  for (const EndpointConfig& endpoint : config->endpoints) {
    findings.push_back(endpoint.engine ? check_engine(loop, *client, endpoint, *paths)
                                       : check_remote(loop, *client, endpoint));
  }
  print_findings(findings, options.json);
  for (const Finding& finding : findings) {
    if (!finding.is_well) return kFailed;
  }
  return kAnswered;
}

}  // namespace hf::cli
