// `hybridflow version`.
#pragma once

#include <string>

namespace hf::cli {

#ifdef HF_ENGINE
inline constexpr bool kHasEngine = true;
#else
inline constexpr bool kHasEngine = false;
#endif

// "hybridflow 1.2.3 (with the local engine)".
std::string version_line();

// That line, or with `json` an object: name, version, compiler, what was built in.
int run_version(bool json);

}  // namespace hf::cli
