// SHA-256 of bytes as they pass by, and of whole files.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

struct evp_md_ctx_st;

namespace hf {

class Sha256 {
 public:
  Sha256();

  void update(std::span<const char> bytes);

  // The digest in lower-case hexadecimal. REQUIRES: called once, last.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// The digest of a file, or a sentence why it could not be read.
Result<std::string> sha256_of(const std::filesystem::path& file);

}  // namespace hf
