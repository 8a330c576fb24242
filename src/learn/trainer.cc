#include "learn/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "learn/examples.h"
#include "learn/numeric.h"
#include "learn/split.h"

namespace hf::learn {
namespace {

// Which rows a head can use, and what of them it is shown.
struct Question {
  const char* name;
  Target target;
  enum { kPrior, kWithAttempt } inputs;
};

constexpr Question kEdge{"edge", &Example::edge, Question::kPrior};
constexpr Question kCloud{"cloud", &Example::cloud, Question::kPrior};
constexpr Question kKept{"kept, after the attempt", &Example::kept, Question::kWithAttempt};
constexpr Question kCloudAfter{"cloud, after the attempt", &Example::cloud, Question::kWithAttempt};
constexpr Question kEdgeTokens{"edge tokens", &Example::edge_tokens, Question::kPrior};
constexpr Question kCloudTokens{"cloud tokens", &Example::cloud_tokens, Question::kPrior};

class Trainer {
 public:
  Trainer(std::span<const Example> examples, const TrainOptions& options)
      : examples_(examples), options_(options) {}

  Result<Trained> run();

 private:
  Result<void> fit_prior();
  Result<void> fit_posterior();
  Result<void> fit_tokens(const Question& question, std::optional<CountHead>& head);
  void fit_gain_spread();
  void collect_categories();
  void collect_past();
  void judge_gains();
  void describe();

  Result<CalibratedHead> fit_head(const Question& question);
  [[nodiscard]] Rows usable(const Question& question, const Rows& rows) const;
  [[nodiscard]] std::vector<float> inputs(const Question& question, std::size_t row) const;
  [[nodiscard]] DenseRows dense_rows(const Question& question, const Rows& rows) const;
  [[nodiscard]] double prior_gain(std::size_t row) const;
  [[nodiscard]] double posterior_gain(std::size_t row) const;
  [[nodiscard]] bool has_both(std::size_t row) const {
    return examples_[row].edge && examples_[row].cloud;
  }
  [[nodiscard]] Metrics measured(const std::vector<Scored>& rows) const {
    return measure(rows, {.replicates = options_.replicates, .seed = options_.seed});
  }

  Examples examples_;
  const TrainOptions& options_;
  Trained trained_;
  Model& model_ = trained_.model;
  TrainReport& report_ = trained_.report;
};

// What a gain came out as, against its prediction.
struct Surprise {
  double predicted = 0;
  double more = 0;
};

// Ranges of equally many predictions, a hundred or so each, ten at most.
Spread spread_of(std::vector<Surprise> surprises) {
  constexpr std::size_t kRowsARange = 100;
  constexpr std::size_t kRangesMax = 10;
  Spread spread;
  if (surprises.empty()) return spread;
  std::ranges::sort(surprises, {},
                    [](const Surprise& each) { return std::pair(each.predicted, each.more); });
  const std::size_t n = surprises.size();
  const std::size_t count = std::clamp<std::size_t>(n / kRowsARange, 1, kRangesMax);
  for (std::size_t range = 0; range < count; ++range) {
    const std::size_t begin = n * range / count;
    const std::size_t end = n * (range + 1) / count;
    const auto size = static_cast<double>(end - begin);
    double sum = 0;
    double square = 0;
    for (std::size_t i = begin; i < end; ++i) sum += surprises[i].more;
    const double mean = sum / size;
    for (std::size_t i = begin; i < end; ++i) {
      square += (surprises[i].more - mean) * (surprises[i].more - mean);
    }
    const double below = end < n ? surprises[end].predicted : 1;
    spread.ranges.push_back({below, mean, std::sqrt(square / size)});
  }
  return spread;
}

Result<Trained> Trainer::run() {
  model_.inputs_version = options_.inputs_version;
  model_.prior_inputs = static_cast<std::uint32_t>(examples_[0].prior.size());
  model_.edge_text_input = options_.edge_text_input;
  model_.cloud_text_input = options_.cloud_text_input;
  model_.fingerprints = examples_.fingerprints();
  report_.rows = {examples_.train().size(), examples_.calibration().size(),
                  examples_.test().size()};
  report_.queries = examples_.queries();
  report_.left_out = examples_.left_out();

  HF_CHECK(fit_prior());
  HF_CHECK(fit_posterior());
  fit_gain_spread();
  HF_CHECK(fit_tokens(kEdgeTokens, model_.edge_tokens));
  HF_CHECK(fit_tokens(kCloudTokens, model_.cloud_tokens));
  collect_categories();
  collect_past();
  judge_gains();
  describe();
  return std::move(trained_);
}

Result<void> Trainer::fit_prior() {
  for (const Question& question : {kEdge, kCloud}) {
    const std::size_t rows = usable(question, examples_.train()).size();
    if (rows >= kTrainRowsMin) continue;
    return fail(Code::kInvalidInput,
                fmt::format("Only {} training rows say how right the {} was, but {} are needed; "
                            "three of five queries are used for training, so bring more.",
                            rows, question.name, kTrainRowsMin));
  }
  auto edge = examples_.fit_text_input(kEdge.target, options_.edge_text_input, options_);
  auto cloud = examples_.fit_text_input(kCloud.target, options_.cloud_text_input, options_);
  model_.edge_text = std::move(edge.head);
  model_.cloud_text = std::move(cloud.head);
  report_.edge_text_strength = edge.strength;
  report_.cloud_text_strength = cloud.strength;
  HF_TRY(model_.edge, fit_head(kEdge));
  HF_TRY(model_.cloud, fit_head(kCloud));
  return {};
}

Result<void> Trainer::fit_posterior() {
  const Rows kept = usable(kKept, examples_.train());
  const Rows cloud = usable(kCloudAfter, examples_.train());
  if (std::min(kept.size(), cloud.size()) < kTrainRowsMin) return {};
  PosteriorHeads heads;
  HF_TRY(heads.kept, fit_head(kKept));
  HF_TRY(heads.cloud, fit_head(kCloudAfter));
  model_.posterior = std::move(heads);
  model_.attempt_inputs = static_cast<std::uint32_t>(examples_[kept[0]].attempt.size());

  std::vector<Surprise> surprises;
  for (const std::size_t row : examples_.calibration()) {
    if (examples_[row].attempt.empty()) continue;
    const double gain = prior_gain(row);
    surprises.push_back({gain, posterior_gain(row) - gain});
  }
  model_.posterior->shift = spread_of(std::move(surprises));
  return {};
}

void Trainer::fit_gain_spread() {
  std::vector<Surprise> surprises;
  for (const std::size_t row : examples_.calibration()) {
    if (!has_both(row)) continue;
    const double gain = prior_gain(row);
    surprises.push_back({gain, *examples_[row].cloud - *examples_[row].edge - gain});
  }
  model_.gain = spread_of(std::move(surprises));
}

Result<CalibratedHead> Trainer::fit_head(const Question& question) {
  const Rows train = usable(question, examples_.train());
  const Rows calibration = usable(question, examples_.calibration());
  const Rows test = usable(question, examples_.test());
  CalibratedHead head;
  HF_TRY(head.dense, fit_logistic(dense_rows(question, train), options_.ridge));

  std::vector<IsotonicRow> scored;
  for (const std::size_t row : calibration) {
    const Estimate estimate = head.dense.predict(inputs(question, row));
    scored.push_back({estimate.logit, *(examples_[row].*question.target), 1});
  }
  head.map = fit_isotonic(scored);

  std::vector<Scored> judged;
  for (const std::size_t row : test) {
    judged.push_back({head.predict(inputs(question, row)).probability,
                      *(examples_[row].*question.target), stable_hash(examples_[row].query)});
  }
  report_.heads.push_back({question.name,
                           {train.size(), calibration.size(), test.size()},
                           measured(judged),
                           reliability(judged)});
  return head;
}

Result<void> Trainer::fit_tokens(const Question& question, std::optional<CountHead>& head) {
  const Rows train = usable(question, examples_.train());
  if (train.size() < kTrainRowsMin) return {};
  HF_TRY(head, fit_counts(dense_rows(question, train), options_.ridge));

  const Rows test = usable(question, examples_.test());
  CountReport report;
  report.name = question.name;
  report.rows = {train.size(), usable(question, examples_.calibration()).size(), test.size()};
  const auto n = static_cast<double>(std::max<std::size_t>(test.size(), 1));
  double square = 0;
  double sum = 0;
  double square_sum = 0;
  for (const std::size_t row : test) {
    const double tokens = std::max(*(examples_[row].*question.target), 1.0);
    const CountEstimate estimate = head->predict(examples_.prior(row));
    const double log_tokens = logarithm(tokens);
    square += (log_tokens - estimate.log_mean) * (log_tokens - estimate.log_mean) / n;
    sum += log_tokens / n;
    square_sum += log_tokens * log_tokens / n;
    report.below_p90 += tokens <= estimate.p90() ? 1 / n : 0;
  }
  const double variance = square_sum - sum * sum;
  report.log_sd = std::sqrt(square);
  report.explained = variance > 1e-12 ? 1 - square / variance : 0;
  report_.counts.push_back(report);
  return {};
}

void Trainer::collect_categories() {
  std::map<std::uint32_t, CategoryMeans> categories;
  const auto add = [](CategoryMeans& to, const Example& example) {
    ++to.rows;
    to.edge += (*example.edge - to.edge) / to.rows;
    to.cloud += (*example.cloud - to.cloud) / to.rows;
    to.relative_cost += (example.relative_cost - to.relative_cost) / to.rows;
  };
  for (const std::size_t row : examples_.train()) {
    if (!has_both(row)) continue;
    add(model_.overall, examples_[row]);
    if (examples_[row].category.empty()) continue;
    const std::uint32_t key = category_key(examples_[row].category);
    CategoryMeans& category = categories[key];
    category.key = key;
    add(category, examples_[row]);
  }
  for (const auto& [key, category] : categories) model_.categories.push_back(category);
}

// Evenly spaced ones, so that a file sorted by topic is seen as a whole.
void Trainer::collect_past() {
  const Rows& rows = examples_.calibration();
  const std::size_t count = std::min(rows.size(), Model::kPastMax);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = rows[i * rows.size() / count];
    const Example& example = examples_[row];
    PastRow& past = model_.past.emplace_back();
    const std::span<const float> prior = examples_.prior(row);
    past.inputs.assign(prior.begin(), prior.end());
    if (model_.posterior) {
      past.inputs.insert(past.inputs.end(), example.attempt.begin(), example.attempt.end());
    }
    past.edge = static_cast<float>(example.edge.value_or(PastRow::kUnknown));
    past.cloud = static_cast<float>(example.cloud.value_or(PastRow::kUnknown));
    past.kept = static_cast<float>(example.kept.value_or(PastRow::kUnknown));
    past.relative_cost = static_cast<float>(example.relative_cost);
  }
}

void Trainer::judge_gains() {
  std::vector<Scored> before;
  std::vector<Scored> after;
  for (const std::size_t row : examples_.test()) {
    const Example& example = examples_[row];
    const std::uint64_t query = stable_hash(example.query);
    if (has_both(row)) {
      before.push_back({(1 + prior_gain(row)) / 2, *example.cloud * (1 - *example.edge), query});
    }
    if (model_.posterior && !example.attempt.empty() && example.cloud && example.kept) {
      after.push_back({(1 + posterior_gain(row)) / 2, *example.cloud * (1 - *example.kept), query});
    }
  }
  report_.fixes = measured(before).auroc;
  if (!after.empty()) report_.fixes_after_attempt = measured(after).auroc;
}

void Trainer::describe() {
  model_.arms = options_.arms;
  std::ranges::sort(model_.arms, {}, &ArmAccuracy::endpoint);
  model_.provenance =
      fmt::format("{}{}{} rows: {} for training, {} for calibration, {} for the test; seed {}.",
                  options_.provenance, options_.provenance.empty() ? "" : "\n", examples_.size(),
                  report_.rows.train, report_.rows.calibration, report_.rows.test, options_.seed);
}

Rows Trainer::usable(const Question& question, const Rows& rows) const {
  Rows found;
  std::ranges::copy_if(rows, std::back_inserter(found), [&](std::size_t row) {
    const Example& example = examples_[row];
    return example.*question.target &&
           (question.inputs == Question::kPrior || !example.attempt.empty());
  });
  return found;
}

std::vector<float> Trainer::inputs(const Question& question, std::size_t row) const {
  if (question.inputs == Question::kWithAttempt) return examples_.with_attempt(row);
  const std::span<const float> prior = examples_.prior(row);
  return {prior.begin(), prior.end()};
}

DenseRows Trainer::dense_rows(const Question& question, const Rows& rows) const {
  DenseRows dense;
  for (const std::size_t row : rows) {
    const std::vector<float> each = inputs(question, row);
    dense.size = each.size();
    dense.inputs.insert(dense.inputs.end(), each.begin(), each.end());
    dense.targets.push_back(*(examples_[row].*question.target));
  }
  return dense;
}

double Trainer::prior_gain(std::size_t row) const {
  return predict_prior(model_, examples_.prior(row)).gain();
}

double Trainer::posterior_gain(std::size_t row) const {
  return predict_posterior(model_, examples_.with_attempt(row)).gain();
}

}  // namespace

Result<Trained> train(std::span<const Example> examples, const TrainOptions& options) {
  HF_CHECK(check_examples(examples, options));
  return Trainer(examples, options).run();
}

}  // namespace hf::learn
