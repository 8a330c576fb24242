#include "cli/commands_bench.h"

#include <CLI/CLI.hpp>

namespace hf::cli {

void add_bench(CLI::App& app, BenchServeOptions& options) {
  CLI::App& bench = *app.add_subcommand("bench", "Measure this program");
  bench.require_subcommand(1);
  CLI::App& serve =
      *bench.add_subcommand("serve", "What the server adds between a client and its upstream");
  serve.add_option("--mode", options.mode, "Which measurements")
      ->check(CLI::IsMember({"all", "open", "closed", "stream", "start"}))
      ->capture_default_str();
  CLI::Option* gateway = serve.add_option(
      "--gateway", options.gateway, "Measure this server, http://HOST:PORT/v1, not a new one");
  serve.add_option("--model", options.model, "Model to ask that server for")->needs(gateway);
  serve.add_option("--key-env", options.key_env, "Variable with the key for that server")
      ->needs(gateway);
  serve.add_option("--gateway-pid", options.gateway_pid, "Its process, to measure what it costs")
      ->needs(gateway)
      ->check(CLI::Range(1, 4'194'304));
  serve.add_option("--stub", options.stub, "HOST:PORT of the built-in upstream; port 0: any")
      ->capture_default_str();
  serve.add_flag("--nginx", options.nginx, "Measure nginx as a plain proxy, too");
  serve.add_option("--rate", options.rate, "Open loop: requests per second")
      ->check(CLI::Range(1.0, 100'000.0))
      ->capture_default_str();
  serve.add_option("--connections", options.connections, "Of the open and of the closed loop")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  serve.add_option("--streams", options.streams, "At once; then twice as many")
      ->check(CLI::Range(1, 2048))
      ->capture_default_str();
  serve.add_option("--seconds", options.seconds, "Of each measurement, per server")
      ->check(CLI::Range(0.5, 600.0))
      ->capture_default_str();
  serve
      .add_option("--rounds", options.rounds, "Parts of that time, in which the servers take turns")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  serve.add_option("--upstream-delay", options.upstream_delay, "But for the closed loop")
      ->capture_default_str();
  serve.add_flag("--json", options.json, "Print JSON");
}

}  // namespace hf::cli
