#include "load/contender.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace hf::load {
namespace {

constexpr Duration kStartTime = std::chrono::seconds(10);
constexpr int kPortsTried = 5;

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (file) return {};
  return fail(Code::kUnavailable, fmt::format("Cannot write {}.", path.string()));
}

// What a program that did not start has said last.
std::string last_words(const std::filesystem::path& log) {
  std::ifstream file(log);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto end = text.find_last_not_of("\r\n");
  if (end == std::string::npos) return "it said nothing";
  const auto begin = text.find_last_of('\n', end);
  return text.substr(begin + 1, end - begin);
}

// A port that was free a moment ago.
Result<std::uint16_t> free_port() {
  HF_TRY(const Address any, resolve("127.0.0.1:0"));
  HF_TRY(const File listener, listen_at(any));
  return port_of(address_of(listener));
}

std::string nginx_configuration(const std::filesystem::path& directory, const Stub& stub,
                                std::uint16_t port) {
  return fmt::format(R"(daemon off;
master_process off;
pid {0}/nginx.pid;
error_log {0}/nginx.log warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi;
  uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi;
  tcp_nodelay on;
  keepalive_requests 100000000;
  upstream stub {{
    server {1};
    keepalive 1024;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{2} backlog=4096;
    location / {{
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
)",
                     directory.string(), stub.address(), port);
}

std::string gateway_configuration(const Stub& stub) {
  return fmt::format(R"([[endpoint]]
name = "stub"
tier = "cloud"
url = "http://{}/v1"
model = "stub"
max_in_flight = 10000
price = {{ prompt = 1.00, completion = 2.00 }}

[serve]
runs = 10000
connections = 10000
)",
                     stub.address());
}

std::filesystem::path gateway_file(const std::filesystem::path& directory) {
  return directory / "hybridflow.toml";
}

std::vector<std::pair<std::string, std::string>> state_in(const std::filesystem::path& directory) {
  return {{"HYBRIDFLOW_STATE", directory.string()}, {"XDG_STATE_HOME", directory.string()}};
}

// True once somebody takes connections there.
bool is_taking(const Address& address, TimePoint until) {
  const auto file = connect_to(address);
  auto poller = Poller::create();
  if (!file || !poller) return false;
  poller->add(*file, EPOLLOUT, 0);
  return !poller->wait(until).empty() && connection_error(*file) == 0;
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string folders = fmt::format("{}:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "");
  for (std::size_t begin = 0; begin < folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::filesystem::path file =
        std::filesystem::path(folders.substr(begin, end - begin)) / name;
    if (file.is_absolute() && ::access(file.c_str(), X_OK) == 0) return file;
    begin = end + 1;
  }
  return {};
}

Result<Contender> start_nginx(const std::filesystem::path& directory, const Stub& stub) {
  const auto program = find_program("nginx");
  if (!program) {
    return fail(Code::kUnavailable,
                "There is no nginx on this machine; install it (Debian: the package nginx-light), "
                "or leave --nginx out.");
  }
  const std::filesystem::path file = directory / "nginx.conf";
  const std::filesystem::path log = directory / "nginx.stderr";
  for (int attempt = 0; attempt < kPortsTried; ++attempt) {
    HF_TRY(const std::uint16_t port, free_port());
    HF_CHECK(write_file(file, nginx_configuration(directory, stub, port)));
    HF_TRY(Process process,
           Process::start({.arguments = {program->string(), "-p", directory.string(), "-c",
                                         file.string(), "-e", log.string()},
                           .environment = {},
                           .log_file = log}));
    HF_TRY(Target target, target_of(fmt::format("http://127.0.0.1:{}/v1", port)));
    target.model = "stub";
    for (const TimePoint until = now() + kStartTime; now() < until && !process.has_ended();) {
      if (is_taking(target.address, until)) {
        return Contender{std::move(process), std::move(target)};
      }
      ::poll(nullptr, 0, 5);
    }
  }
  return fail(Code::kUnavailable, fmt::format("nginx did not start: {}.", last_words(log)));
}

Result<std::string> prepare_gateway(const std::filesystem::path& directory,
                                    const std::string& program, const Stub& stub) {
  const std::filesystem::path log = directory / "keys.stderr";
  const std::filesystem::path file = gateway_file(directory);
  HF_CHECK(write_file(file, gateway_configuration(stub)));
  HF_TRY(Process process,
         Process::start({.arguments = {program, "keys", "add", "--config", file.string(), "--name",
                                       "bench", "--usd", "100000"},
                         .environment = state_in(directory),
                         .log_file = log}));
  const auto key = process.read_line(now() + kStartTime);
  if (key) return *key;
  return fail(Code::kUnavailable, fmt::format("No key could be made: {}", last_words(log)));
}

Result<Contender> start_gateway(const std::filesystem::path& directory, const std::string& program,
                                const std::string& key) {
  const std::filesystem::path log = directory / "hybridflow.stderr";
  HF_TRY(Process process,
         Process::start({.arguments = {program, "serve", "--listen", "127.0.0.1:0", "--config",
                                       gateway_file(directory).string()},
                         .environment = state_in(directory),
                         .log_file = log}));
  constexpr std::string_view kReady = "listening on ";
  const TimePoint until = now() + kStartTime;
  auto line = process.read_line(until);
  while (line && !line->starts_with(kReady)) line = process.read_line(until);
  if (!line) {
    return fail(Code::kUnavailable, fmt::format("The gateway did not start: {}", last_words(log)));
  }
  HF_TRY(Target target, target_of(fmt::format("http://{}/v1", line->substr(kReady.size()))));
  target.model = "stub";
  target.key = key;
  return Contender{std::move(process), std::move(target)};
}

}  // namespace hf::load
