// Errors are values. A function that can fail returns Result<T>; a Code exists only if some caller
// can act on it in particular, everything else is kInternal plus words.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace hf {

enum class Code {
  kInvalidInput,  // The caller's input is at fault; the message says where.
  kOverBudget,    // A hard budget refused.
  kOverloaded,    // A queue or limit is full; trying later may help.
  kUnavailable,   // Something outside is not reachable or broken.
  kDeadline,      // Time ran out.
  kCancelled,     // Somebody asked to stop.
  kInternal,      // A fault of this program.
};

// What happened, where, and what to do about it: one plain sentence in `message`.
struct Error {
  Code code = Code::kInternal;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

#define HF_CONCAT_INNER(a, b) a##b
#define HF_CONCAT(a, b) HF_CONCAT_INNER(a, b)

// HF_TRY(auto value, expression); declares `value` from a Result or returns its error.
#define HF_TRY(declaration, ...) \
  HF_TRY_NAMED(HF_CONCAT(hf_try_, __COUNTER__), declaration, __VA_ARGS__)
#define HF_TRY_NAMED(name, declaration, ...)                  \
  auto name = (__VA_ARGS__);                                  \
  if (!name) return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)

// HF_CHECK(expression); the same for a Result<void>.
#define HF_CHECK(...)                                        \
  do {                                                       \
    if (auto hf_checked = (__VA_ARGS__); !hf_checked)        \
      return std::unexpected(std::move(hf_checked).error()); \
  } while (false)

}  // namespace hf
