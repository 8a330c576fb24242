// "frugal", "ucci" and "dot": always try the edge first, and escalate by a rule whose threshold is
// found once. They differ in what they look at:
//   frugal  the chance that the result is right, by a learned scorer (FrugalGPT, arXiv 2305.05176);
//   ucci    a monotone map of its own margin (UCCI, arXiv 2605.18796), or where the endpoint sends
//           none, of the share of votes;
//   dot     a low quantile of its token probabilities, below 0.9 (DoT, arXiv 2502.04392), or where
//           the endpoint sends none, the share of votes. This threshold is the authors' own.
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/threshold.h"

namespace hf {
namespace {

constexpr double kDotLeast = 0.9;

class CascadePolicy : public Router {
 public:
  CascadePolicy(CascadeRule rule, ModelPtr model) : rule_(rule), predictor_(std::move(model)) {}

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    start(affordable_share(input));
    Decision decision = pick(input, Tier::kEdge, "every result of the edge is looked at");
    decision.action = Action::kAttempt;
    decision.votes = input.voters;
    return decision;
  }

  Decision review(const RouteInput& input, const Attempt& attempt) override {
    if (auto only = forced(input)) return *only;
    start(affordable_share(input));
    const double doubt = doubt_of(input, attempt);
    const bool escalates = doubt > *threshold_;
    Decision decision =
        pick(input, escalates ? Tier::kCloud : Tier::kEdge,
             Reason("doubt {:.2f} {} {:.2f}", doubt, escalates ? ">" : "<=", *threshold_));
    decision.utility = doubt;
    decision.threshold = *threshold_;
    return decision;
  }

 private:
  [[nodiscard]] double doubt_of(const RouteInput& input, const Attempt& attempt) const {
    if (!attempt.has_answer) return 1;
    if (rule_ == CascadeRule::kFrugal) return 1 - predictor_.after(input, attempt).edge;
    if (rule_ == CascadeRule::kUcci && attempt.signals.margin) return 1 - *attempt.signals.margin;
    if (rule_ == CascadeRule::kDot && attempt.signals.low_logprob) {
      return 1 - std::exp(*attempt.signals.low_logprob);
    }
    return 1 - attempt.kept_share;
  }

  void start(double share) {
    if (threshold_) return;
    if (rule_ == CascadeRule::kDot) {
      threshold_ = 1 - kDotLeast;
      return;
    }
    std::vector<Scored> past;
    for (const PastDecision& each : predictor_.past()) {
      const double sure = rule_ == CascadeRule::kFrugal ? each.after.edge : each.kept_share;
      past.push_back({1 - sure, each.cost});
    }
    threshold_ = threshold_for(past, share, 0);
  }

  const CascadeRule rule_;
  Predictor predictor_;
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Router> make_cascade_policy(CascadeRule rule, ModelPtr model) {
  return std::make_unique<CascadePolicy>(rule, std::move(model));
}

}  // namespace hf
