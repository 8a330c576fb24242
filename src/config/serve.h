// What the server allows: the table [serve] of a configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "model/budget.h"

namespace hf {

class Table;

// Files of PEM blocks.
struct TlsConfig {
  std::string certificate;
  std::string key;
};

struct ServeConfig {
  std::uint32_t runs = 512;                        // At once.
  std::uint32_t connections = 1024;                // At once.
  std::uint32_t header_bytes = 32 * 1024;          // Of a request,
  std::uint64_t body_bytes = 4 * 1024 * 1024;      // the same.
  std::uint64_t buffered_bytes = 4 * 1024 * 1024;  // Of an answer whose client is slow.
  Duration header_time = std::chrono::seconds(10);
  Duration body_time = std::chrono::seconds(30);
  Duration idle_time = std::chrono::seconds(60);  // Between two requests of a connection.
  Tokens answer_tokens{4096};  // Cap of an answer that is passed on, if the request has none.
  Budget session;              // Of each session.
  std::optional<TlsConfig> tls;
};

// Reads the table of a whole document; the defaults if it has none.
Result<ServeConfig> read_serve(const Table& root);

}  // namespace hf
