#include "plan/plan_reader.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/utf8.h"
#include "plan/markup.h"
#include "plan/plan_builder.h"

namespace hf {
namespace {

constexpr std::size_t kBlockBytes = 4096;

}  // namespace

class PlanReader::Impl final : public MarkupSink {
 public:
  explicit Impl(const Options& options)
      : options_(options), scanner_(*this, options.plan_bytes_max), builder_(options) {}

  void push(std::string_view bytes) {
    // Blocks, so that repairing bad bytes never copies much at once.
    while (!bytes.empty() && scanner_.end() == MarkupScanner::End::kNone) {
      const std::size_t size = std::min(bytes.size(), kBlockBytes);
      held_ += bytes.substr(0, size);
      bytes.remove_prefix(size);
      const std::size_t whole = complete_utf8_prefix(held_);
      scan(std::string_view(held_).substr(0, whole));
      held_.erase(0, whole);
    }
  }

  End finish(bool is_cut) {
    HF_ASSERT(!is_finished_);
    is_finished_ = true;
    scan(held_);
    const bool is_thinking = scanner_.is_thinking();
    scanner_.finish();
    if (scanner_.has_fence() && seen_ > 0)
      builder_.repair("the plan was in a code block, taken out");
    if (!scanner_.is_open() && seen_ > 0)
      builder_.repair("no <Plan> tag, the steps are used as they are");
    const bool is_closed = scanner_.end() == MarkupScanner::End::kClosed;
    if (scanner_.end() == MarkupScanner::End::kOverLimit) {
      builder_.repair("plan too long, the rest is ignored");
    } else if (!is_closed && scanner_.is_open() && seen_ > 0) {
      builder_.repair("plan not closed");
    }

    const std::size_t released = told_;
    PlanEnd plan = builder_.finish();
    if (plan.outcome == PlanOutcome::kUseless) {
      plan.fault = fault(is_thinking);
    } else if (!is_closed) {
      plan.outcome = PlanOutcome::kTruncated;
      plan.fault =
          is_cut ? "the plan was cut off before </Plan>" : "the plan was not closed by </Plan>";
    }
    const auto rest = builder_.steps().subspan(released);
    return {{rest.begin(), rest.end()}, std::move(plan)};
  }

  // Steps that were released since the last call. Outside a plan nothing is.
  std::vector<PlannedStep> news() {
    if (!scanner_.is_open()) return {};
    const auto fresh = builder_.steps().subspan(told_);
    told_ = builder_.steps().size();
    return {fresh.begin(), fresh.end()};
  }

  [[nodiscard]] bool is_closed() const { return scanner_.end() != MarkupScanner::End::kNone; }
  [[nodiscard]] bool is_visible() const { return scanner_.is_open() || is_finished_; }
  [[nodiscard]] const PlanBuilder& builder() const { return builder_; }

  void on_plan_opened() override { forget(); }
  void on_thought() override { forget(); }
  void on_step(const RawStep& step) override {
    ++seen_;
    builder_.add(step);
  }

 private:
  void scan(std::string_view text) {
    if (is_utf8(text)) {
      scanner_.push(text);
    } else {
      scanner_.push(repair_utf8(text));
    }
  }

  void forget() {
    builder_ = PlanBuilder(options_);
    seen_ = 0;
  }

  [[nodiscard]] std::string fault(bool is_thinking) const {
    if (is_thinking) return "the text ended inside a thinking block";
    if (seen_ > 0) return "no <Step> had a Task";
    return scanner_.is_open() ? "the plan was empty, it had no <Step>"
                              : "no <Plan> and no <Step> was found";
  }

  Options options_;
  MarkupScanner scanner_;
  PlanBuilder builder_;
  std::string held_;      // The start of a character that is still to be completed.
  std::size_t seen_ = 0;  // Steps, good or bad.
  std::size_t told_ = 0;  // Released steps that were returned.
  bool is_finished_ = false;
};

PlanReader::PlanReader(Options options) : impl_(std::make_unique<Impl>(options)) {}
PlanReader::~PlanReader() = default;

std::vector<PlannedStep> PlanReader::push(std::string_view bytes) {
  impl_->push(bytes);
  return impl_->news();
}

PlanReader::End PlanReader::finish(bool is_cut) {
  return impl_->finish(is_cut);
}

bool PlanReader::is_closed() const {
  return impl_->is_closed();
}

std::span<const PlannedStep> PlanReader::steps() const {
  return impl_->is_visible() ? impl_->builder().steps() : std::span<const PlannedStep>();
}

std::span<const std::string> PlanReader::repairs() const {
  return impl_->is_visible() ? impl_->builder().repairs() : std::span<const std::string>();
}

}  // namespace hf
