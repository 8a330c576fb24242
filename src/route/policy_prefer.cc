// "edge" and "cloud": everything to one tier while it can be had.
#include "route/pick.h"
#include "route/policies.h"

namespace hf {
namespace {

class PreferPolicy : public Router {
 public:
  explicit PreferPolicy(Tier tier) : tier_(tier) {}

  Decision choose(const RouteInput& input) override {
    return pick(input, tier_, tier_ == Tier::kEdge ? "always edge" : "always cloud");
  }

  [[nodiscard]] bool looks_around() const override { return false; }

 private:
  const Tier tier_;
};

}  // namespace

std::unique_ptr<Router> make_prefer_policy(Tier tier) {
  return std::make_unique<PreferPolicy>(tier);
}

}  // namespace hf
