#include "health/breaker.h"

#include "health/failure_rule.h"

namespace hf {

void Breaker::succeeded() {
  failures_ = 0;
  is_open_ = false;
  is_probing_ = false;
}

void Breaker::failed(TimePoint now, Failure failure) {
  const Blame blame = rule_of(failure).blame;
  if (blame == Blame::kNone) {
    is_probing_ = false;
    return;
  }
  ++failures_;
  if (blame == Blame::kCount && !is_probing_ && failures_ < policy_.failures_max) return;
  is_open_ = true;
  is_probing_ = false;
  until_ = now + policy_.cool_down;
}

}  // namespace hf
