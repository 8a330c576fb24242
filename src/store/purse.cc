#include "store/purse.h"

#include <fmt/format.h>

#include "store/amounts.h"
#include "store/slice.h"

namespace hf::store {

Purse::Answer Purse::want(const Amounts& needed) {
  const auto failed = [&](const Error& error) {
    Refusal refusal;
    refusal.scope = scope_;
    refusal.trouble = fmt::format("the budget cannot be used: {}", error.message);
    return Answer{leased_, std::move(refusal)};
  };

  const Amounts free = minus(minus(leased_, spent_), held_);
  const Amounts least = larger(minus(needed, free), kNothing);
  const auto left = source_->left(scope_);
  if (!left) return failed(left.error());
  const Amounts wanted =
      slice({.least = least, .recent = minus(spent_, spent_at_last_lease_), .left = *left});
  const auto taken =
      lease_ ? source_->extend(*lease_, wanted, least) : source_->take(scope_, wanted, least);
  if (!taken) return failed(taken.error());
  if (!*taken) return {leased_, taken->error()};
  lease_ = (*taken)->id;
  leased_ += (*taken)->amount;
  spent_at_last_lease_ = spent_;
  return {leased_, std::nullopt};
}

Result<void> Purse::started(CallId call, const Amounts& worst) {
  if (worst == kNothing) return {};
  if (!lease_) return fail(Code::kInternal, "a call that costs has no lease to pay from.");
  HF_CHECK(source_->started(*lease_, call, worst));
  open_.emplace(call, worst);
  held_ += worst;
  return {};
}

void Purse::booked(CallId call, const Amounts& actual) {
  const auto found = open_.find(call);
  if (found == open_.end()) return book_late(call, actual);
  held_ -= found->second;
  spent_ += actual;
  open_.erase(found);
  // A failed write is told by the next `started`, which then refuses.
  [[maybe_unused]] const auto written = source_->settled(*lease_, call, actual);
}

// The journal has closed the call: what is more is entered as a call of its own, beyond the lease.
void Purse::book_late(CallId call, const Amounts& more) {
  if (!lease_ || more == kNothing) return;
  constexpr std::uint64_t kLate = std::uint64_t{1} << 62U;
  const CallId late{static_cast<std::uint64_t>(call) | kLate};
  if (!source_->started(*lease_, late, kNothing)) return;  // As `booked` says.
  [[maybe_unused]] const auto written = source_->settled(*lease_, late, more);
  spent_ += more;
}

void Purse::give_back() {
  if (!lease_) return;
  [[maybe_unused]] const auto returned = source_->give_back(*lease_);
  lease_.reset();
}

}  // namespace hf::store
