// Recorded outcomes made ready to be decided on, again and again: what a policy may see of each
// subtask, and what would come of each choice. The same code makes training examples of them.
//
// Thread safety: none needed; nothing here changes after it was made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "eval/outcomes.h"
#include "graph/graph.h"
#include "learn/model.h"
#include "learn/trainer.h"
#include "model/signals.h"
#include "model/subtask.h"
#include "route/router.h"

namespace hf::eval {

// The edge's result after some voters were asked.
struct Look {
  hf::Attempt attempt;
  double correct = 0;  // Of the result that would be kept.
};

struct Item {
  TaskFeatures features;
  std::vector<Look> looks;  // By how many voters were asked, from none on to all there are.
  double edge_correct = 0;
  double cloud_correct = 0;
  PicoUsd usd;       // What the cloud's result cost.
  PicoUsd expected;  // What can be known of that before.
  PicoUsd likely;    // What nine of ten such results do not exceed.
  PicoUsd worst;     // What has to be reserved for it.
  Duration edge_time{};
  Duration cloud_time{};
  std::vector<Duration> vote_times;  // Of each voter's call.
  Duration expected_edge_time{};     // What can be known of these before.
  Duration expected_cloud_time{};
  std::vector<Duration> expected_vote_times;

  [[nodiscard]] std::uint8_t voters() const { return static_cast<std::uint8_t>(vote_times.size()); }
  [[nodiscard]] const Look& last_look() const { return looks.back(); }
};

struct PreparedQuery {
  std::string name;
  std::string category;
  std::uint32_t first = 0;  // Its items lie next to one another; SubtaskId counts from here.
  Graph graph;
  std::vector<std::uint32_t> depths;  // By SubtaskId.
};

// What a policy is shown of a subtask wherever it comes from, but for the state of the world.
RouteInput known_of(const PreparedQuery& query, SubtaskId id, const TaskFeatures& features);

struct Prepared {
  std::vector<Item> items;
  std::vector<PreparedQuery> queries;
  std::size_t rows_left_out = 0;  // Of queries in which a subtask lacks an arm of one of the tiers.
  PicoUsd mean_usd;               // Of the cloud's results.
};

// `model` may be null. Fails if no query has arms of both tiers throughout.
Result<Prepared> prepare(const Dataset& dataset, const std::shared_ptr<const learn::Model>& model);

// How often each further arm of the edge was right, and the first, in the training queries.
std::vector<learn::ArmAccuracy> accuracies_of(const Dataset& dataset);

// The rows as training examples, with the very inputs that serving sees; votes weigh what
// `accuracies` say.
std::vector<learn::Example> examples_of(const Dataset& dataset,
                                        const std::vector<learn::ArmAccuracy>& accuracies);

}  // namespace hf::eval
