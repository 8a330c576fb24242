// How fast an endpoint answers, learned from its calls: time to the first token and time per token
// after it, each an exponentially weighted mean in integers (weight of the newest: a quarter).
#pragma once

#include "base/units.h"

namespace hf {

class Speed {
 public:
  // A call's first token came this long after its start.
  void saw_first_token(Duration wait);

  // A call ended `duration` after its first token (or its start, if it had none) with `tokens`.
  void saw_answer(Duration duration, Tokens tokens);

  // How long an answer of `tokens` should take; zero while nothing is known.
  [[nodiscard]] Duration predicted(Tokens tokens) const;

 private:
  Duration first_token_{};
  Duration per_token_{};
};

}  // namespace hf
