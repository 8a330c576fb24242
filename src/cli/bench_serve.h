// `hybridflow bench serve`: what the server, or any other gateway, adds between a client and its
// upstream.
#pragma once

#include <string>

namespace hf::cli {

struct BenchServeOptions {
  std::string mode = "all";          // all, open, closed, stream, start
  std::string gateway;               // http://HOST:PORT/v1; empty: this program's own server.
  std::string model;                 // To ask that gateway for.
  std::string key_env;               // Variable that holds its key.
  int gateway_pid = 0;               // Its process, if it is on this machine; 0: unknown.
  std::string stub = "127.0.0.1:0";  // Where the upstream listens.
  bool nginx = false;                // Measure it, too.
  double rate = 1000;
  int connections = 64;
  int streams = 256;
  double seconds = 10;
  int rounds = 3;
  std::string upstream_delay = "20ms";
  bool json = false;
};

// Measures, prints, and returns 0 whatever the numbers are; 1 if it could not measure.
int run_bench_serve(const BenchServeOptions& options);

}  // namespace hf::cli
