// The servers that are put between the load and the stub: nginx as a plain proxy, and this
// program's own server, each with a configuration made for the purpose.
//
// Thread safety: none.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "load/client.h"
#include "load/process.h"
#include "load/stub.h"

namespace hf::load {

// A server that this process has started.
struct Contender {
  Process process;
  Target target;
};

// The path of a program as a shell would find it; system folders that an ordinary user's PATH lacks
// are searched, too.
std::optional<std::filesystem::path> find_program(const std::string& name);

// One worker without access log, connections to the stub kept, nothing buffered. `directory` gets
// its files.
Result<Contender> start_nginx(const std::filesystem::path& directory, const Stub& stub);

// What `PROGRAM serve` needs in `directory`: a configuration with the stub as its endpoint `stub`,
// which is also the model to ask for, and a key with a budget of dollars, which is returned.
Result<std::string> prepare_gateway(const std::filesystem::path& directory,
                                    const std::string& program, const Stub& stub);
// REQUIRES: `directory` was prepared, and `key` is what that returned.
Result<Contender> start_gateway(const std::filesystem::path& directory, const std::string& program,
                                const std::string& key);

}  // namespace hf::load
