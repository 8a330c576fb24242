#include "eval/evaluate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <list>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "eval/clairvoyant.h"
#include "eval/oracle.h"
#include "eval/parallel.h"
#include "eval/resamples.h"

namespace hf::eval {
namespace {

// A variant of spar with one of its parts switched over.
struct Ablation {
  std::string_view name;
  bool SparOptions::* option = nullptr;
  bool StreamOptions::* stream_option = nullptr;
};
constexpr std::array<Ablation, 6> kAblations = {{
    {"spar-no-attempts", &SparOptions::attempts},
    {"spar-no-slack", &SparOptions::slack},
    {"spar-no-resolve", &SparOptions::resolve},
    {"spar-no-calibration", &SparOptions::calibration},
    {"spar-no-late-binding", nullptr, &StreamOptions::late_binding},
    {"spar-online", &SparOptions::online},
}};
constexpr std::array kForesights = {Foresight::kOutcomes,    Foresight::kActions,
                                    Foresight::kPredictions, Foresight::kPredictionsAfter,
                                    Foresight::kForecasts,   Foresight::kForecastsAfter};

double dollars_of(std::int64_t pico) {
  return static_cast<double>(pico) / static_cast<double>(kPicoPerUsd);
}

double mean_of(std::span<const double> list) {
  return list.empty()
             ? 0
             : std::accumulate(list.begin(), list.end(), 0.0) / static_cast<double>(list.size());
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

template <class T>
double quantile(std::vector<T> list, double share) {
  if (list.empty()) return 0;
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(list.size() - 1));
  std::ranges::nth_element(list, list.begin() + place);
  return static_cast<double>(list[static_cast<std::size_t>(place)]);
}

// What a run leaves for the cell, by its seed.
struct RunSummary {
  double spent_usd = 0;
  double spent_share = 0;
  std::int64_t overshoot = 0;
  double makespan_mean = 0;
  double makespan_p95 = 0;
  double to_edge = 0;
  double to_cloud = 0;
  double attempts = 0;
  double votes = 0;
  double cut = 0;
  double decision_p50_ns = 0;
  double decision_p99_ns = 0;
  bool is_exact = true;
  std::vector<double> spending;
};

// A cell while its runs come in, in any order: whole numbers add up to the same all the same.
struct Gathering {
  Setting setting;
  std::vector<std::int64_t> correct;  // In value_units, per query.
  std::vector<std::uint32_t> right;
  std::vector<std::int64_t> nanoseconds;
  std::vector<RunSummary> runs;
  std::mutex mutex;
  std::once_flag planned;  // Without a change of prices no order changes the optimum.
  Foreseen plan;
};

class Evaluator {
 public:
  Evaluator(const Prepared& data, std::shared_ptr<const learn::Model> model,
            const EvaluateOptions& options)
      : data_(data),
        model_(std::move(model)),
        options_(options),
        orders_(data),
        clairvoyant_(data, model_) {
    for (const Item& item : data.items) all_cloud_ += item.usd;
    for (const PreparedQuery& query : data.queries) {
      double edge = 0;
      double cloud = 0;
      for (std::size_t i = 0; i < query.graph.size(); ++i) {
        edge += data.items[query.first + i].edge_correct;
        cloud += data.items[query.first + i].cloud_correct;
      }
      evaluation_.edge_correct.push_back(edge);
      cloud_correct_.push_back(cloud);
      evaluation_.subtasks.push_back(static_cast<double>(query.graph.size()));
    }
    const auto add = [&](const std::string& policy, double budget, Order order,
                         const PriceChange& price) {
      gatherings_.emplace_back().setting = {policy, budget, order, price};
      gatherings_.back().correct.assign(data.queries.size(), 0);
      gatherings_.back().right.assign(data.queries.size(), 0);
      gatherings_.back().nanoseconds.assign(data.queries.size(), 0);
      gatherings_.back().runs.resize(options.seeds);
    };
    for (const PriceChange& price : options.prices) {
      for (const Order order : options.orders) {
        for (const double budget : options.budgets) {
          for (const std::string& policy : options.policies) add(policy, budget, order, price);
          // What the fractions are fractions of.
          for (const Foresight foresight : {Foresight::kOutcomes, Foresight::kActions}) {
            const std::string name(name_of(foresight));
            if (!contains(options.policies, name)) add(name, budget, order, price);
          }
        }
      }
    }
  }

  Evaluation run(const Progress& progress) {
    const std::size_t count = gatherings_.size() * options_.seeds;
    std::size_t done = 0;
    std::mutex mutex;
    in_parallel(count, options_.jobs, [&](std::size_t i) {
      run_one(*std::next(gatherings_.begin(), static_cast<std::ptrdiff_t>(i / options_.seeds)),
              static_cast<std::uint32_t>(i % options_.seeds));
      const std::lock_guard lock(mutex);
      ++done;
      if (progress) progress(done, count);
    });
    finish();
    return std::move(evaluation_);
  }

 private:
  void run_one(Gathering& cell, std::uint32_t seed_index) {
    const std::uint64_t seed = seed_index + 1;
    const std::vector<std::uint32_t> order = orders_.make(cell.setting.order, seed);
    StreamOptions stream{.limit = PicoUsd(std::llround(cell.setting.budget *
                                                       static_cast<double>(all_cloud_.count()))),
                         .price = cell.setting.price,
                         .seed = seed,
                         .edge_places = options_.edge_places};
    RunSummary summary;
    Foreseen own;
    std::unique_ptr<Router> router;
    if (const auto foresight = foresight_named(cell.setting.policy)) {
      const Foreseen* plan = &cell.plan;
      if (cell.setting.changes_price()) {
        std::vector<double> factors(order.size());
        for (std::size_t place = 0; place < order.size(); ++place) {
          factors[order[place]] = price_factor(stream.price, place, order.size());
        }
        own = clairvoyant_.plan(*foresight, stream.limit, factors);
        plan = &own;
      } else {
        std::call_once(cell.planned,
                       [&] { cell.plan = clairvoyant_.plan(*foresight, stream.limit, {}); });
      }
      stream.knows_bills = true;
      summary.is_exact = plan->is_exact;
      router = make_planned(data_, *plan);
    } else {
      router = router_for(cell.setting, stream);
    }
    const StreamResult result = run_stream(data_, order, *router, stream);
    summarise(result, stream.limit, summary);
    const std::lock_guard lock(cell.mutex);
    for (std::size_t q = 0; q < result.queries.size(); ++q) {
      cell.correct[q] += value_units(result.queries[q].correct * evaluation_.subtasks[q]);
      cell.right[q] += result.queries[q].is_all_correct ? 1 : 0;
      cell.nanoseconds[q] += std::llround(result.queries[q].seconds * 1e9);
    }
    cell.runs[seed_index] = std::move(summary);
  }

  [[nodiscard]] std::unique_ptr<Router> router_for(const Setting& setting,
                                                   StreamOptions& stream) const {
    PolicyOptions policy = options_.policy;
    policy.is_tuned = options_.is_tuned;
    if (options_.is_tuned) policy.cloud_share = std::min(setting.budget, 1.0);
    std::string name = setting.policy;
    for (const Ablation& ablation : kAblations) {
      if (name != ablation.name) continue;
      name = "spar";
      if (ablation.option != nullptr)
        policy.spar.*ablation.option = !(policy.spar.*ablation.option);
      if (ablation.stream_option != nullptr) stream.*ablation.stream_option = false;
      break;
    }
    auto router = make_router(name, policy, model_);
    HF_ASSERT(router.has_value());  // evaluate() has tried it.
    return *std::move(router);
  }

  static void summarise(const StreamResult& result, PicoUsd limit, RunSummary& summary) {
    std::vector<double> seconds;
    seconds.reserve(result.queries.size());
    for (const QueryOutcome& query : result.queries) seconds.push_back(query.seconds);
    summary.spent_usd = dollars_of(result.spent.count());
    summary.spent_share =
        static_cast<double>(result.spent.count()) / static_cast<double>(limit.count());
    summary.overshoot = result.overshoot.count();
    summary.makespan_mean = mean_of(seconds);
    summary.makespan_p95 = quantile(seconds, 0.95);
    summary.to_edge = static_cast<double>(result.to_edge);
    summary.to_cloud = static_cast<double>(result.to_cloud);
    summary.attempts = static_cast<double>(result.attempts);
    summary.votes = static_cast<double>(result.votes);
    summary.cut = static_cast<double>(result.cut);
    summary.decision_p50_ns = quantile(result.decision_ns, 0.5);
    summary.decision_p99_ns = quantile(result.decision_ns, 0.99);
    summary.spending = result.spending;
  }

  void finish() {
    const Resamples resamples(data_.queries.size(), options_.resamples, kResampleSeed);
    evaluation_.all_edge = resamples.ratio(evaluation_.edge_correct, evaluation_.subtasks);
    evaluation_.all_cloud = resamples.ratio(cloud_correct_, evaluation_.subtasks);
    evaluation_.all_cloud_usd = dollars_of(all_cloud_.count());
    std::vector<Gathering*> gathered;
    for (Gathering& each : gatherings_) gathered.push_back(&each);
    evaluation_.cells.resize(gathered.size());
    in_parallel(gathered.size(), options_.jobs,
                [&](std::size_t i) { evaluation_.cells[i] = cell_of(*gathered[i]); });
    in_parallel(gathered.size(), options_.jobs,
                [&](std::size_t i) { add_intervals(evaluation_.cells[i], resamples); });
  }

  [[nodiscard]] Cell cell_of(const Gathering& gathered) const {
    Cell cell;
    cell.setting = gathered.setting;
    const auto seeds = static_cast<double>(options_.seeds);
    for (std::size_t q = 0; q < gathered.correct.size(); ++q) {
      cell.correct.push_back(static_cast<double>(gathered.correct[q]) /
                             static_cast<double>(kValueUnits) / seeds);
      cell.right.push_back(gathered.right[q] / seeds);
      cell.seconds.push_back(static_cast<double>(gathered.nanoseconds[q]) / 1e9 / seeds);
    }
    const auto each = [&](double RunSummary::* member) {
      std::vector<double> list;
      for (const RunSummary& run : gathered.runs) list.push_back(run.*member);
      return list;
    };
    cell.spent_usd = mean_of(each(&RunSummary::spent_usd));
    cell.spent_share = mean_of(each(&RunSummary::spent_share));
    cell.makespan_mean = mean_of(each(&RunSummary::makespan_mean));
    cell.makespan_p95 = mean_of(each(&RunSummary::makespan_p95));
    cell.to_edge = mean_of(each(&RunSummary::to_edge));
    cell.to_cloud = mean_of(each(&RunSummary::to_cloud));
    cell.attempts = mean_of(each(&RunSummary::attempts));
    cell.votes = mean_of(each(&RunSummary::votes));
    cell.cut = mean_of(each(&RunSummary::cut));
    cell.decision_p50_ns = quantile(each(&RunSummary::decision_p50_ns), 0.5);
    cell.decision_p99_ns = quantile(each(&RunSummary::decision_p99_ns), 0.5);
    for (const RunSummary& run : gathered.runs) {
      cell.overshoot_usd = std::max(cell.overshoot_usd, dollars_of(run.overshoot));
      cell.is_exact = cell.is_exact && run.is_exact;
    }
    for (std::size_t point = 0; point < gathered.runs.front().spending.size(); ++point) {
      std::vector<double> list;
      for (const RunSummary& run : gathered.runs) list.push_back(run.spending[point]);
      cell.spending.push_back(mean_of(list));
      cell.spending_low.push_back(std::ranges::min(list));
      cell.spending_high.push_back(std::ranges::max(list));
    }
    return cell;
  }

  void add_intervals(Cell& cell, const Resamples& resamples) const {
    const std::vector<double> ones(cell.right.size(), 1.0);
    const std::vector<double> gain = gain_of(evaluation_, cell);
    cell.accuracy = resamples.ratio(cell.correct, evaluation_.subtasks);
    cell.strict = resamples.ratio(cell.right, ones);
    cell.utility = resamples.ratio(gain, evaluation_.subtasks);
    const Setting& at = cell.setting;
    const auto fraction_of = [&](Foresight foresight) {
      const Cell* best = evaluation_.find(name_of(foresight), at.budget, at.order, at.price);
      return resamples.ratio(gain, gain_of(evaluation_, *best));
    };
    cell.oracle_fraction = fraction_of(Foresight::kOutcomes);
    cell.actions_fraction = fraction_of(Foresight::kActions);
  }

  const Prepared& data_;
  const std::shared_ptr<const learn::Model> model_;
  const EvaluateOptions& options_;
  const Orders orders_;
  const Clairvoyant clairvoyant_;
  PicoUsd all_cloud_;
  std::vector<double> cloud_correct_;
  std::list<Gathering> gatherings_;
  Evaluation evaluation_;
};

Result<void> check(const EvaluateOptions& options,
                   const std::shared_ptr<const learn::Model>& model) {
  const std::vector<std::string> known = evaluated_policies();
  for (const std::string& name : options.policies) {
    if (!contains(known, name)) {
      return fail(Code::kInvalidInput, fmt::format("There is no policy '{}'; choose from {}.", name,
                                                   fmt::join(known, ", ")));
    }
  }
  for (const double budget : options.budgets) {
    if (!(budget > 0 && budget <= 100)) {
      return fail(Code::kInvalidInput,
                  fmt::format("A budget is {} of the all-cloud cost, but must be above 0 and at "
                              "most 100.",
                              budget));
    }
  }
  for (const PriceChange& price : options.prices) {
    if (!(price.factor > 0 && price.factor <= 1000 && price.at >= 0 && price.at <= 1)) {
      return fail(Code::kInvalidInput,
                  fmt::format("The price changes by {} at {} of the stream; the factor must be "
                              "above 0 and at most 1000, the place from 0 to 1.",
                              price.factor, price.at));
    }
  }
  if (options.policies.empty() || options.budgets.empty() || options.orders.empty() ||
      options.prices.empty() || options.seeds == 0 || options.edge_places == 0 ||
      options.resamples == 0) {
    return fail(Code::kInvalidInput,
                "An evaluation needs at least one policy, budget, order, stream order and place on "
                "the edge.");
  }
  // Its options are wrong for all policies or for none.
  if (auto router = make_router("spar", options.policy, model); !router) {
    return std::unexpected(router.error());
  }
  return {};
}

}  // namespace

std::vector<std::string> evaluated_policies() {
  std::vector<std::string> names(policy_names().begin(), policy_names().end());
  for (const Ablation& ablation : kAblations) names.emplace_back(ablation.name);
  for (const Foresight foresight : kForesights) names.emplace_back(name_of(foresight));
  return names;
}

const Cell* Evaluation::find(std::string_view policy, double budget, Order order,
                             const PriceChange& price) const {
  const auto is_it = [&](const Cell& cell) {
    const Setting& at = cell.setting;
    return at.policy == policy && at.budget == budget && at.order == order &&
           at.price.factor == price.factor && (at.price.at == price.at || price.factor == 1);
  };
  const auto found = std::ranges::find_if(cells, is_it);
  return found == cells.end() ? nullptr : &*found;
}

Result<Evaluation> evaluate(const Prepared& data, const std::shared_ptr<const learn::Model>& model,
                            const EvaluateOptions& options, const Progress& progress) {
  HF_CHECK(check(options, model));
  return Evaluator(data, model, options).run(progress);
}

std::vector<double> gain_of(const Evaluation& evaluation, const Cell& cell) {
  std::vector<double> gain(cell.correct);
  for (std::size_t q = 0; q < gain.size(); ++q) gain[q] -= evaluation.edge_correct[q];
  return gain;
}

}  // namespace hf::eval
