// Sentences inside of sentences.
#pragma once

#include <string_view>

namespace hf {

// The text without the full stop at its end, for whoever goes on after it or sets a stop of its
// own.
constexpr std::string_view clause_of(std::string_view sentence) {
  if (sentence.ends_with('.')) sentence.remove_suffix(1);
  return sentence;
}

}  // namespace hf
