// What the orchestration of one query costs when models take no time: a planned question of six
// steps (1 -> 2,3,4,5 -> 6) over real sockets, against an endpoint in the same process that answers
// at once. Also the scheduler and the plan reader alone, and the way from a finished input to the
// requests of those that waited for it.
//
//   hf_bench_orchestration [QUERIES]   (default 200)
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "plan/plan_reader.h"
#include "route/features.h"
#include "runtime/runtime.h"
#include "schedule/scheduler.h"
#include "serve/server.h"
#include "wire/chat.h"
#include "wire/json.h"

namespace hf {
namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr std::size_t kPieceBytes = 4;
constexpr double kReferenceMillis = 920;  // The published implementation, same plan and pieces.
constexpr std::string_view kQuestion =
    "A shop sells pens, pads, bags and cups. How much does it earn with each in a week, and with "
    "all of them together?";

std::string plan_text() {
  std::string text = "<Plan>\n";
  for (int id = 1; id <= 6; ++id) {
    const std::string_view role = id == 1 ? "explain" : id == 6 ? "generate" : "analyze";
    const std::string_view rely = id == 1 ? "" : id == 6 ? "2,3,4,5" : "1";
    text += fmt::format(
        "<Step ID=\"{}\" Role=\"{}\" Task=\"Task {}: what does the shop earn with this kind of "
        "thing in a week of six working days, at its price now?\" Rely=\"{}\" Token=\"40\" "
        "Difficulty=\"3\"/>\n",
        id, role, id, rely);
  }
  return text + "</Plan>\n";
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < text.size(); at += kPieceBytes) {
    pieces.push_back(text.substr(at, kPieceBytes));
  }
  return pieces;
}

std::string frames_of(std::string_view text) {
  std::string frames;
  wire::ChatPiece piece;
  for (const std::string_view part : pieces_of(text)) {
    piece.content = part;
    frames += wire::sse_frame(wire::write_chat_chunk(piece, frames.empty()));
  }
  piece.content.clear();
  piece.finish_reason = "stop";
  frames += wire::sse_frame(wire::write_chat_chunk(piece, false));
  piece.finish_reason.reset();
  piece.usage = Usage{.prompt = Tokens(400), .cached = Tokens(0), .completion = Tokens(280)};
  return frames + wire::sse_frame(wire::write_chat_chunk(piece, false)) +
         std::string(wire::kSseDone);
}

double seconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void print(std::string_view what, std::vector<double> values, std::string_view unit) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  fmt::print("  {:<58} p50 {:>8.2f}  p99 {:>8.2f}  least {:>8.2f} {}\n", what, at(0.5), at(0.99),
             values.front(), unit);
}

// An endpoint on a thread of its own that answers at once, and notes for given plans how long
// after the end of an input the requests of its dependants came in.
class InstantEndpoint {
 public:
  InstantEndpoint() : thread_([this] { serve(); }) {}
  ~InstantEndpoint() {
    loop_.stop();
    thread_.join();
  }
  InstantEndpoint(const InstantEndpoint&) = delete;
  InstantEndpoint& operator=(const InstantEndpoint&) = delete;

  std::string url() { return "http://" + address_.get() + "/v1"; }
  clockid_t cpu_clock() {
    clockid_t clock{};
    ::pthread_getcpuclockid(thread_.native_handle(), &clock);
    return clock;
  }
  // Waits with every answer from now on, so that the others have nothing to do.
  void hold() { is_holding_ = true; }

  std::vector<double> first_dependant;  // Read only when nothing runs.
  std::vector<double> last_dependant;
  std::vector<double> sink;

 private:
  void serve() {
    const auto server = net::HttpServer::listen(
        loop_, "127.0.0.1:0",
        [this](const net::Request& request, const std::shared_ptr<net::Responder>& responder) {
          answer(request, responder);
        });
    HF_ASSERT(server.has_value());
    listening_.set_value((*server)->address());
    loop_.run();
    held_.clear();
  }

  void answer(const net::Request& request, const std::shared_ptr<net::Responder>& responder) {
    const Clock::time_point arrival = Clock::now();
    if (is_holding_) return held_.push_back(responder);
    const bool is_plan = request.body.contains("<Plan>");
    responder->begin(200, "text/event-stream");
    responder->write(is_plan ? plan_frames_ : step_frames_);
    responder->end();
    note(request.body, arrival);
  }

  void note(std::string_view body, Clock::time_point arrival) {
    const std::size_t at = body.rfind("Task: Task ");
    if (at == std::string_view::npos) return;
    const auto since_ended = [&] { return Micros(arrival - ended_).count(); };
    switch (body[at + 11]) {
      case '1':
        seen_ = 0;
        break;
      case '6':
        sink.push_back(since_ended());
        break;
      default:
        if (++seen_ == 1) first_dependant.push_back(since_ended());
        if (seen_ == 4) last_dependant.push_back(since_ended());
        if (seen_ < 4) return;  // Counted from the end of the first step, or of the last sibling.
    }
    ended_ = Clock::now();
  }

  const std::string plan_frames_ = frames_of(plan_text());
  const std::string step_frames_ = frames_of("The week brings 6 * 20 = 120 dollars.");
  std::atomic<bool> is_holding_ = false;
  std::vector<std::shared_ptr<net::Responder>> held_;
  Clock::time_point ended_;
  int seen_ = 0;
  std::promise<std::string> listening_;
  std::shared_future<std::string> address_ = listening_.get_future().share();
  net::EventLoop loop_;
  std::thread thread_;  // Goes first: it uses the rest.
};

class UntilFinished : public QueryListener {
 public:
  explicit UntilFinished(net::EventLoop& loop) : loop_(loop) {}
  void on_finish(Receipt receipt) override {
    HF_ASSERT(receipt.record.outcome == Outcome::kAnswered);
    calls = receipt.record.calls.size();
    loop_.stop();
  }
  std::size_t calls = 0;

 private:
  net::EventLoop& loop_;
};

Config config_for(const std::string& url) {
  Config config;
  for (const Tier tier : {Tier::kEdge, Tier::kCloud}) {
    EndpointConfig& endpoint = config.endpoints.emplace_back();
    endpoint.endpoint.name = tier == Tier::kEdge ? "edge" : "cloud";
    endpoint.endpoint.tier = tier;
    endpoint.endpoint.max_in_flight = 16;
    endpoint.url = url;
    endpoint.model = "instant";
  }
  config.endpoints[1].endpoint.price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)};
  return config;
}

UserQuery planned_query(std::uint64_t seed) {
  UserQuery query;
  query.question = kQuestion;
  query.plan = PlanMode::kAlways;
  query.seed = seed;
  return query;
}

UserQuery given_query(std::uint64_t seed) {
  PlanReader reader({});
  GivenPlan plan;
  plan.steps = reader.push(plan_text());
  PlanReader::End end = reader.finish(false);
  plan.steps.insert(plan.steps.end(), end.steps.begin(), end.steps.end());
  plan.end = std::move(end.plan);
  UserQuery query = planned_query(seed);
  query.plan = PlanMode::kGiven;
  query.given = std::move(plan);
  return query;
}

// Wall time of each query, in milliseconds.
std::vector<double> run_queries(Runtime& runtime, net::EventLoop& loop, std::size_t count,
                                UserQuery (*make)(std::uint64_t), std::size_t calls) {
  std::vector<double> wall;
  UntilFinished view(loop);
  for (std::size_t i = 0; i < count; ++i) {
    UserQuery query = make(i);
    const Clock::time_point begin = Clock::now();
    runtime.submit(std::move(query), view);
    loop.run();
    wall.push_back(Micros(Clock::now() - begin).count() / 1000);
    HF_ASSERT(view.calls == calls);
  }
  return wall;
}

// The same requests without a runtime: the plan, then each level of the graph at once.
std::vector<double> run_bare(const std::string& url, std::size_t count) {
  net::EventLoop loop;
  const auto client = net::HttpClient::create(loop);
  std::vector<double> wall;
  for (std::size_t i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    for (const int width : {0, 1, 4, 1}) {
      int open = std::max(width, 1);
      for (int call = open; call > 0; --call) {
        net::Call made;
        made.url = url + "/chat/completions";
        made.headers = {{"Content-Type", "application/json"}};
        made.body = width == 0 ? std::string("<Plan>") : std::string(2000, 'x');
        client->start(std::move(made), {.on_bytes = {}, .on_done = [&](const net::CallResult&) {
                                          if (--open == 0) loop.stop();
                                        }});
      }
      loop.run();
    }
    wall.push_back(Micros(Clock::now() - begin).count() / 1000);
  }
  return wall;
}

// The same queries as a client of the server asks them: from its request to the whole answer.
std::vector<double> run_served(const std::string& url, std::size_t warm_up, std::size_t count) {
  net::EventLoop loop;
  const Config config = config_for(url);
  auto runtime = Runtime::create(loop, config, {});
  HF_ASSERT(runtime.has_value());
  serve::Server server(loop, *std::move(runtime), config);
  const auto listener = net::HttpServer::listen(
      loop, "127.0.0.1:0",
      [&server](const net::Request& request, const std::shared_ptr<net::Responder>& responder) {
        server.handle(request, responder);
      });
  HF_ASSERT(listener.has_value());
  const auto client = net::HttpClient::create(loop);
  std::vector<double> wall;
  for (std::size_t i = 0; i < warm_up + count; ++i) {
    net::Call call;
    call.url = fmt::format("http://{}/v1/chat/completions", (*listener)->address());
    call.headers = {{"Content-Type", "application/json"}};
    call.body = fmt::format(R"({{"model":"hybrid/auto","hybridflow":{{"plan":"always"}},)"
                            R"("messages":[{{"role":"user","content":{}}}]}})",
                            wire::quoted(kQuestion));
    std::string answer;
    const Clock::time_point begin = Clock::now();
    client->start(std::move(call),
                  {.on_bytes = [&](int, std::string_view bytes) { answer += bytes; },
                   .on_done = [&](const net::CallResult&) { loop.stop(); }});
    loop.run();
    if (i >= warm_up) wall.push_back(Micros(Clock::now() - begin).count() / 1000);
    HF_ASSERT(answer.contains("120 dollars") && answer.contains(R"("hybridflow":)"));
  }
  return wall;
}

// Plays the driver without sockets: the plan in pieces into the reader, every call answered in
// turn.
double run_core(Scheduler& scheduler, QueryId query, std::string_view plan) {
  std::vector<Command> commands;
  std::deque<StartCall> running;
  bool is_finished = false;
  const Clock::time_point begin = Clock::now();
  const auto feed = [&](const Event& event) {
    commands.clear();
    scheduler.step(
        TimePoint(std::chrono::duration_cast<Duration>(Clock::now() - Clock::time_point{})), event,
        commands);
    for (const Command& command : commands) {
      if (const auto* call = std::get_if<StartCall>(&command)) running.push_back(*call);
      is_finished = is_finished || std::holds_alternative<FinishQuery>(command);
    }
  };
  const auto answer = [&](const StartCall& call) {
    feed(CallFirstToken{call.call});
    const Usage usage{.prompt = Tokens(400), .cached = Tokens(0), .completion = Tokens(40)};
    feed(CallDone{.call = call.call, .usage = usage, .output_bytes = 150, .signals = {}});
  };
  FeatureReader features(nullptr);
  const auto take = [&](const std::vector<PlannedStep>& steps) {
    for (const PlannedStep& step : steps) {
      feed(StepParsed{.query = query,
                      .id = step.id,
                      .subtask = step.subtask,
                      .task_bytes = static_cast<std::uint32_t>(step.task.size()),
                      .features = features.read(step.task, step.difficulty)});
    }
  };
  feed(QueryArrived{.query = query,
                    .budget = {},
                    .question_bytes = static_cast<std::uint32_t>(kQuestion.size()),
                    .features = features.read(kQuestion, 0),
                    .seed = index_of(query)});
  const StartCall planner = running.front();
  running.pop_front();
  PlanReader reader({});
  for (const std::string_view piece : pieces_of(plan)) take(reader.push(piece));
  const PlanReader::End end = reader.finish(false);
  take(end.steps);
  feed(PlanEnded{.query = query,
                 .outcome = end.plan.outcome,
                 .sink = end.plan.sink,
                 .pruned = end.plan.pruned});
  answer(planner);
  for (; !running.empty(); running.pop_front()) answer(StartCall(running.front()));
  HF_ASSERT(is_finished);
  scheduler.forget(query);
  return Micros(Clock::now() - begin).count();
}

std::vector<double> run_core_queries(std::size_t count) {
  Scheduler::Options options;
  for (const EndpointConfig& endpoint : config_for("").endpoints) {
    options.endpoints.push_back(endpoint.endpoint);
  }
  auto router = make_router("hybridflow", {});
  HF_ASSERT(router.has_value());
  Scheduler scheduler(std::move(options), **router);
  const std::string plan = plan_text();
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(run_core(scheduler, QueryId(i + 1), plan));
  }
  return times;
}

// CPU time of the whole process in a second in which everybody waits for an endpoint, in percent.
double idle_load(Runtime& runtime, net::EventLoop& loop, InstantEndpoint& endpoint) {
  endpoint.hold();
  UntilFinished view(loop);
  runtime.submit(planned_query(0), view);
  const auto wait = [&](std::chrono::milliseconds time) {
    const auto end = loop.at(loop.now() + time, [&] { loop.stop(); });
    loop.run();
  };
  wait(std::chrono::milliseconds(500));  // Late calls have got their rivals by then.
  const double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  wait(std::chrono::milliseconds(1000));
  return (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before) * 100;
}

int run(std::size_t queries) {
  constexpr std::size_t kWarmUp = 10;
  InstantEndpoint endpoint;
  const std::string url = endpoint.url();
  net::EventLoop loop;
  auto runtime = Runtime::create(loop, config_for(url), {});
  HF_ASSERT(runtime.has_value());

  run_queries(**runtime, loop, kWarmUp, planned_query, 7);
  const clockid_t endpoint_clock = endpoint.cpu_clock();
  const double process_before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const double endpoint_before = seconds_of(endpoint_clock);
  const double loop_before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  const auto wall = run_queries(**runtime, loop, queries, planned_query, 7);
  const auto per_query = [&](double seconds) {
    return seconds * 1000 / static_cast<double>(queries);
  };
  const double process = per_query(seconds_of(CLOCK_PROCESS_CPUTIME_ID) - process_before);
  const double served = per_query(seconds_of(endpoint_clock) - endpoint_before);
  const double driven = per_query(seconds_of(CLOCK_THREAD_CPUTIME_ID) - loop_before);

  fmt::print("one query: plan of {} pieces, 6 steps, 7 calls; {} queries one after the other\n",
             pieces_of(plan_text()).size(), queries);
  print("wall, runtime over sockets", wall, "ms");
  print("wall, a client of the server", run_served(url, kWarmUp, queries), "ms");
  print("wall, the same requests with the bare HTTP client", run_bare(url, queries), "ms");
  fmt::print("  {:<58} {:.0f} ms; ideal with instant models: 0 ms\n",
             "wall, reference implementation, measured elsewhere", kReferenceMillis);
  fmt::print("  {:<58} {:.2f} ms: loop {:.2f}, HTTP client thread {:.2f}, endpoint {:.2f}\n",
             "CPU a query, whole process", process, driven, process - served - driven, served);

  fmt::print("scheduler and plan reader alone, the same query without sockets\n");
  run_core_queries(kWarmUp);
  print("wall = CPU", run_core_queries(queries), "us");

  fmt::print(
      "from the endpoint's last byte of an input to the endpoint's receipt of a dependant's "
      "request\n(includes both ways through the kernel and the HTTP client's thread, parsing, "
      "scheduling, prompt)\n");
  endpoint.first_dependant.clear();
  endpoint.last_dependant.clear();
  endpoint.sink.clear();
  run_queries(**runtime, loop, queries, given_query, 6);
  print("step 1 -> first of its four dependants", endpoint.first_dependant, "us");
  print("step 1 -> last of its four dependants", endpoint.last_dependant, "us");
  print("last of four inputs -> step 6", endpoint.sink, "us");

  fmt::print("while everybody waits for an endpoint\n  {:<58} {:.3f} % of one core\n",
             "CPU of the whole process", idle_load(**runtime, loop, endpoint));
  return 0;
}

}  // namespace
}  // namespace hf

int main(int argc, char** argv) {
  std::size_t queries = 200;
  if (argc > 1) {
    const std::string_view text = argv[1];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), queries);
    if (error != std::errc() || end != text.data() + text.size() || queries == 0) {
      fmt::print(stderr, "hf_bench_orchestration: '{}' is not a number of queries.\n", text);
      return 2;
    }
  }
  return hf::run(queries);
}
