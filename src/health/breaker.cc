#include "health/breaker.h"

namespace hf {

void Breaker::succeeded() {
  failures_ = 0;
  is_open_ = false;
  is_probing_ = false;
}

void Breaker::failed(TimePoint now, Failure failure) {
  // Asked and answered: the endpoint is alive.
  if (failure == Failure::kRejected || failure == Failure::kOverloaded) {
    is_probing_ = false;
    return;
  }
  ++failures_;
  const bool is_hopeless = failure == Failure::kUnauthorized || failure == Failure::kNotFound;
  if (!is_hopeless && !is_probing_ && failures_ < policy_.failures_max) return;
  is_open_ = true;
  is_probing_ = false;
  until_ = now + policy_.cool_down;
}

}  // namespace hf
