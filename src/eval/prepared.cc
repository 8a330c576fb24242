#include "eval/prepared.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "learn/split.h"
#include "route/features.h"
#include "route/vote.h"

namespace hf::eval {
namespace {

constexpr double kUnknownAccuracy = 0.5;
constexpr Tokens kUnknownTokens(256);
constexpr double kListPriceMissed = 0.02;  // Share of all costs that list prices may not explain.
constexpr double kTokensRidge = 10;

const ArmOutcome* arm_of(const OutcomeRow& row, Tier tier) {
  const auto found = std::ranges::find(row.arms, tier, &ArmOutcome::tier);
  return found == row.arms.end() ? nullptr : &*found;
}

Duration duration_of(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

double accuracy_of(std::string_view endpoint, std::span<const learn::ArmAccuracy> accuracies) {
  const auto found =
      std::ranges::find(accuracies, learn::stable_hash(endpoint), &learn::ArmAccuracy::endpoint);
  return found == accuracies.end() ? kUnknownAccuracy : found->accuracy;
}

// How many voters a training row is shown with. Serving may have fewer of them, or none, and heads
// that never saw that would take it for certainty: a quarter of the queries learn without voters
// and a quarter with one or two.
std::size_t training_voters(std::string_view query) {
  constexpr std::uint64_t kSalt = 0x766f746572730001U;
  switch (learn::stable_hash(query, kSalt) % 8) {
    case 0:
    case 1:
      return 0;
    case 2:
      return 1;
    case 3:
      return 2;
    default:
      return UINT8_MAX - 1;
  }
}

// The edge's own result and its voters. Without a recorded answer of the first arm there is nothing
// to agree with.
std::vector<const ArmOutcome*> edge_arms(const OutcomeRow& row) {
  std::vector<const ArmOutcome*> arms;
  for (const ArmOutcome& arm : row.arms) {
    if (arm.tier != Tier::kEdge || (!arms.empty() && !arm.output)) continue;
    if (!arms.empty() && !arms.front()->output) break;
    if (arms.size() == UINT8_MAX) break;
    arms.push_back(&arm);
  }
  return arms;
}

// REQUIRES: at least one arm.
Look look_at(std::span<const ArmOutcome* const> arms,
             std::span<const learn::ArmAccuracy> accuracies) {
  std::vector<Ballot> ballots;
  for (const ArmOutcome* arm : arms) {
    ballots.push_back({arm->output ? std::string_view(*arm->output) : std::string_view("?"),
                       vote_weight(accuracy_of(arm->endpoint, accuracies))});
  }
  Look look;
  look.correct = arms[count_votes(ballots, look.attempt)]->correct;
  look.attempt.signals = arms.front()->signals;
  look.attempt.completion = arms.front()->completion;
  return look;
}

// y = first * x1 + second * x2 by least squares. Serving knows list prices and measures speeds;
// recorded rows only say what came of them, and this finds it again.
struct Line {
  double first = 0;
  double second = 0;
};

struct Point {
  double x1 = 0;
  double x2 = 0;
  double y = 0;
};

// None if the x do not vary, if a factor is negative, or if more than `missed_max` of all y
// remains.
std::optional<Line> line_through(std::span<const Point> points, double missed_max) {
  double aa = 0;
  double ab = 0;
  double bb = 0;
  double ay = 0;
  double by = 0;
  double sum = 0;
  for (const Point& point : points) {
    aa += point.x1 * point.x1;
    ab += point.x1 * point.x2;
    bb += point.x2 * point.x2;
    ay += point.x1 * point.y;
    by += point.x2 * point.y;
    sum += point.y;
  }
  const double determinant = aa * bb - ab * ab;
  if (determinant <= 1e-6 * aa * bb) return std::nullopt;
  const Line line{(ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant};
  double missed = 0;
  for (const Point& point : points) {
    missed += std::abs(line.first * point.x1 + line.second * point.x2 - point.y);
  }
  if (line.first < 0 || line.second < 0 || missed > missed_max * sum) return std::nullopt;
  return line;
}

double number(Tokens tokens) {
  return static_cast<double>(tokens.count());
}

// What a policy can know of one item beforehand, by the arms that were recorded.
struct Recorded {
  const ArmOutcome* edge = nullptr;
  const ArmOutcome* cloud = nullptr;
  double edge_completion = 0;  // Predicted.
  double cloud_completion = 0;
  double cloud_p90 = 0;  // Nine of ten are not longer.
};

// What can be known of each cloud result's cost beforehand, and how much to reserve for it.
void foresee_costs(std::span<const Recorded> recorded, std::span<Item> items) {
  std::vector<Point> points;
  Tokens most_tokens;
  PicoUsd most_usd;
  for (const Recorded& each : recorded) {
    points.push_back({number(each.cloud->prompt), number(each.cloud->completion),
                      static_cast<double>(each.cloud->usd.count())});
    most_tokens = std::max(most_tokens, each.cloud->completion);
    most_usd = std::max(most_usd, each.cloud->usd);
  }
  const std::optional<Line> price = line_through(points, kListPriceMissed);
  // Where the price is not known, what the rows before have cost on average.
  double mean = points.front().y;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    if (!price) {
      item.expected = PicoUsd(std::llround(mean));
      item.worst = most_usd;
      item.likely = most_usd;
      mean += (points[i].y - mean) / static_cast<double>(i + 1);
      continue;
    }
    const double prompt = price->first * points[i].x1;
    const double most = prompt + price->second * number(most_tokens);
    const double expected = prompt + price->second * recorded[i].cloud_completion;
    item.expected = PicoUsd(std::llround(std::min(expected, most)));
    const double likely = prompt + price->second * recorded[i].cloud_p90;
    item.likely = PicoUsd(std::llround(std::min(likely, most)));
    item.worst = std::max(PicoUsd(std::llround(std::ceil(most))), item.usd);
  }
}

// A call takes a while to begin and a while per token; if that does not fit, the mean.
void foresee_times(std::span<const Recorded> recorded, std::span<Item> items, Tier tier) {
  const bool is_edge = tier == Tier::kEdge;
  std::vector<Point> points;
  double mean = 0;
  for (const Recorded& each : recorded) {
    const ArmOutcome& arm = is_edge ? *each.edge : *each.cloud;
    points.push_back({1, number(arm.completion), arm.seconds});
    mean += arm.seconds / static_cast<double>(recorded.size());
  }
  constexpr double kSpeedMissed = 0.5;
  const std::optional<Line> line = line_through(points, kSpeedMissed);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const double tokens = is_edge ? recorded[i].edge_completion : recorded[i].cloud_completion;
    const double seconds = line ? line->first + line->second * tokens : mean;
    (is_edge ? items[i].expected_edge_time : items[i].expected_cloud_time) = duration_of(seconds);
  }
}

// A voter takes as long as the edge is expected to, times by how much it is slower on the whole.
void foresee_vote_times(std::span<const std::vector<const ArmOutcome*>> voting,
                        std::span<Item> items) {
  struct Sums {
    double own = 0;
    double first = 0;
  };
  std::map<std::string_view, Sums> voters;
  for (const auto& arms : voting) {
    for (const ArmOutcome* arm : std::span(arms).subspan(1)) {
      voters[arm->endpoint].own += arm->seconds;
      voters[arm->endpoint].first += arms.front()->seconds;
    }
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const ArmOutcome* arm : std::span(voting[i]).subspan(1)) {
      const Sums& sums = voters[arm->endpoint];
      const double slower = sums.first > 0 ? sums.own / sums.first : 1;
      const double edge = std::chrono::duration<double>(items[i].expected_edge_time).count();
      items[i].expected_vote_times.push_back(duration_of(edge * slower));
    }
  }
}

// Inputs first, otherwise as they come.
std::vector<const OutcomeRow*> in_order(std::span<const OutcomeRow> rows) {
  std::vector<const OutcomeRow*> order;
  const auto is_there = [&](const std::string& name) {
    return std::ranges::any_of(order, [&](const OutcomeRow* row) { return row->subtask == name; });
  };
  while (order.size() < rows.size()) {
    for (const OutcomeRow& row : rows) {
      if (!is_there(row.subtask) && std::ranges::all_of(row.depends_on, is_there)) {
        order.push_back(&row);
      }
    }
  }
  return order;
}

PreparedQuery query_of(std::span<const OutcomeRow* const> rows) {
  PreparedQuery query;
  query.name = rows.front()->query;
  query.category = rows.front()->category;
  std::map<std::string_view, SubtaskId> ids;
  for (const OutcomeRow* row : rows) {
    Subtask subtask{.role = row->role, .relies_on = {}, .expected = kUnknownTokens};
    std::uint32_t depth = 0;
    for (const std::string& name : row->depends_on) {
      const SubtaskId input = ids.at(name);
      subtask.relies_on.push_back(input);
      depth = std::max(depth, query.depths[index_of(input)] + 1);
    }
    std::ranges::sort(subtask.relies_on);
    ids.emplace(row->subtask, query.graph.add(std::move(subtask)));
    query.depths.push_back(depth);
  }
  return query;
}

bool has_both_tiers(const OutcomeRow& row) {
  return arm_of(row, Tier::kEdge) != nullptr && arm_of(row, Tier::kCloud) != nullptr;
}

Recorded recorded_of(const ArmOutcome& edge, const ArmOutcome& cloud, const RouteInput& input,
                     const learn::Model* model) {
  Recorded recorded{&edge, &cloud, number(kUnknownTokens), number(kUnknownTokens),
                    std::numeric_limits<double>::max()};
  if (model == nullptr) return recorded;
  const PriorFeatures features = prior_features(input);
  if (model->edge_tokens) recorded.edge_completion = model->edge_tokens->predict(features).mean();
  if (model->cloud_tokens) {
    const learn::CountEstimate tokens = model->cloud_tokens->predict(features);
    recorded.cloud_completion = tokens.mean();
    recorded.cloud_p90 = tokens.p90();
  }
  return recorded;
}

}  // namespace

RouteInput known_of(const PreparedQuery& query, SubtaskId id, const TaskFeatures& features) {
  const Subtask& subtask = query.graph[id];
  RouteInput input;
  input.subtask = id;
  input.role = subtask.role;
  input.is_whole_question = query.graph.size() == 1;
  input.features = features;
  input.depth = query.depths[index_of(id)];
  input.dependants = static_cast<std::uint32_t>(query.graph.dependants(id).size());
  input.expected = subtask.expected;
  return input;
}

Result<Prepared> prepare(const Dataset& dataset, const std::shared_ptr<const learn::Model>& model) {
  Prepared all;
  std::vector<Recorded> recorded;
  std::vector<std::vector<const ArmOutcome*>> voting;
  FeatureReader reader(model);
  const std::vector<learn::ArmAccuracy> none;
  const auto& accuracies = model == nullptr ? none : model->arms;
  double paid = 0;
  for (std::size_t q = 0; q < dataset.queries(); ++q) {
    const std::span<const OutcomeRow> rows = dataset.query(q);
    if (!std::ranges::all_of(rows, has_both_tiers)) {
      all.rows_left_out += rows.size();
      continue;
    }
    const std::vector<const OutcomeRow*> order = in_order(rows);
    PreparedQuery& query = all.queries.emplace_back(query_of(order));
    query.first = static_cast<std::uint32_t>(all.items.size());
    for (const OutcomeRow* row : order) {
      const ArmOutcome& edge = *arm_of(*row, Tier::kEdge);
      const ArmOutcome& cloud = *arm_of(*row, Tier::kCloud);
      const std::vector<const ArmOutcome*> arms = edge_arms(*row);
      const auto id = static_cast<SubtaskId>(all.items.size() - query.first);
      Item& item = all.items.emplace_back();
      item.features = reader.read(row->text, 0, row->category);
      item.edge_correct = edge.correct;
      item.cloud_correct = cloud.correct;
      item.usd = cloud.usd;
      item.edge_time = duration_of(edge.seconds);
      for (std::size_t count = 1; count <= arms.size(); ++count) {
        item.looks.push_back(look_at(std::span(arms).first(count), accuracies));
        if (count > 1) item.vote_times.push_back(duration_of(arms[count - 1]->seconds));
      }
      voting.push_back(arms);
      item.cloud_time = duration_of(cloud.seconds);
      recorded.push_back(recorded_of(edge, cloud, known_of(query, id, item.features), model.get()));
      paid += static_cast<double>(cloud.usd.count());
    }
  }
  if (all.items.empty()) {
    return fail(Code::kInvalidInput,
                "No query has results of both tiers for all of its subtasks; there is nothing to "
                "choose between.");
  }
  if (paid <= 0) {
    return fail(Code::kInvalidInput,
                "No result of the cloud costs anything, so that there is no budget to keep to; "
                "give the cloud arms their usd.");
  }
  foresee_costs(recorded, all.items);
  foresee_times(recorded, all.items, Tier::kEdge);
  foresee_times(recorded, all.items, Tier::kCloud);
  foresee_vote_times(voting, all.items);
  all.mean_usd = PicoUsd(std::llround(paid / static_cast<double>(all.items.size())));
  return all;
}

std::vector<learn::ArmAccuracy> accuracies_of(const Dataset& dataset) {
  struct Sum {
    double correct = 0;
    double rows = 0;
  };
  std::map<std::uint64_t, Sum> sums;
  for (const OutcomeRow& row : dataset.rows()) {
    if (learn::split_of(row.query) != learn::Split::kTrain) continue;
    for (const ArmOutcome& arm : row.arms) {
      if (arm.tier != Tier::kEdge) continue;
      Sum& sum = sums[learn::stable_hash(arm.endpoint)];
      sum.correct += arm.correct;
      sum.rows += 1;
    }
  }
  std::vector<learn::ArmAccuracy> accuracies;
  for (const auto& [endpoint, sum] : sums) accuracies.push_back({endpoint, sum.correct / sum.rows});
  return accuracies;
}

namespace {

// Cost of each example in the cloud as it can be known beforehand, in units of the mean: past
// decisions must look as present ones do, and these do not know their bills. Tokens are foreseen by
// a head of its own, for the model's does not exist yet.
void foresee_relative_costs(std::span<const ArmOutcome* const> clouds,
                            std::vector<learn::Example>& examples) {
  std::vector<Point> points;
  learn::DenseRows rows;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (clouds[i] == nullptr) continue;
    points.push_back({number(clouds[i]->prompt), number(clouds[i]->completion),
                      static_cast<double>(clouds[i]->usd.count())});
    if (learn::split_of(examples[i].query) != learn::Split::kTrain) continue;
    rows.size = examples[i].prior.size();
    rows.inputs.insert(rows.inputs.end(), examples[i].prior.begin(), examples[i].prior.end());
    rows.targets.push_back(number(clouds[i]->completion));
  }
  const std::optional<Line> price = line_through(points, kListPriceMissed);
  const auto tokens = learn::fit_counts(rows, kTokensRidge);
  if (!price || !tokens) return;
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (clouds[i] == nullptr) continue;
    examples[i].relative_cost = price->first * number(clouds[i]->prompt) +
                                price->second * tokens->predict(examples[i].prior).mean();
    sum += examples[i].relative_cost;
    count += 1;
  }
  for (std::size_t i = 0; sum > 0 && i < examples.size(); ++i) {
    if (clouds[i] != nullptr) examples[i].relative_cost *= count / sum;
  }
}

}  // namespace

std::vector<learn::Example> examples_of(const Dataset& dataset,
                                        const std::vector<learn::ArmAccuracy>& accuracies) {
  std::vector<learn::Example> examples;
  std::vector<const ArmOutcome*> clouds;
  FeatureReader reader(nullptr);
  for (std::size_t q = 0; q < dataset.queries(); ++q) {
    const std::vector<const OutcomeRow*> order = in_order(dataset.query(q));
    const PreparedQuery query = query_of(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const OutcomeRow& row = *order[i];
      const ArmOutcome* edge = arm_of(row, Tier::kEdge);
      const ArmOutcome* cloud = arm_of(row, Tier::kCloud);
      const RouteInput input =
          known_of(query, static_cast<SubtaskId>(i), reader.read(row.text, 0, row.category));
      learn::Example& example = examples.emplace_back();
      clouds.push_back(cloud);
      example.query = row.query;
      example.text = row.text;
      example.category = row.category;
      const PriorFeatures prior = prior_features(input);
      example.prior.assign(prior.begin(), prior.end());
      if (edge != nullptr) {
        const std::vector<const ArmOutcome*> arms = edge_arms(row);
        const std::size_t shown = std::min(arms.size(), training_voters(row.query) + 1);
        const Look kept = look_at(std::span(arms).first(shown), accuracies);
        const AttemptFeatures full = attempt_features(input, kept.attempt);
        example.attempt.assign(full.begin() + kPriorFeatures, full.end());
        example.edge = edge->correct;
        example.kept = kept.correct;
        if (edge->completion > Tokens(0)) example.edge_tokens = number(edge->completion);
      }
      if (cloud != nullptr) {
        example.cloud = cloud->correct;
        if (cloud->completion > Tokens(0)) example.cloud_tokens = number(cloud->completion);
      }
    }
  }
  foresee_relative_costs(clouds, examples);
  return examples;
}

}  // namespace hf::eval
