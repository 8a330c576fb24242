// `hybridflow version`.
#pragma once

namespace hf::cli {

// One line, or with `json` an object: name, version, compiler, what was built in.
int run_version(bool json);

}  // namespace hf::cli
