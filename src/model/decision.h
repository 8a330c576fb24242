// What the router chose for a ready subtask, and why.
#pragma once

#include <boost/container/static_vector.hpp>
#include <cstdint>

#include "base/ids.h"
#include "base/short_text.h"
#include "base/units.h"
#include "model/endpoint.h"

namespace hf {

// Long enough for all the policies and the scheduler say about one choice.
using Reason = ShortText<191>;

enum class Action : std::uint8_t {
  kRun,      // Run it there; the result stands.
  kAttempt,  // Run it on the edge, then look at the result and decide again.
};

// What another choice would have meant.
struct Alternative {
  EndpointId endpoint{};
  Action action = Action::kRun;
  double chance = 0;  // Predicted probability that its result is right; 0 if not predicted.
  double worth = 0;   // What the policy maximised: gain less the price of money and time.
  PicoUsd usd;        // Expected.
  Duration time{};    // Expected; zero if not known.
};
inline constexpr std::size_t kAlternativesMax = 4;
using Alternatives = boost::container::static_vector<Alternative, kAlternativesMax>;

struct Decision {
  EndpointId endpoint{};
  Tier tier = Tier::kEdge;
  Action action = Action::kRun;
  std::uint8_t votes = 0;  // Further edge results to ask for before looking at an attempt.
  // Probabilities of a right result as training left them, before what was learned since; 0 if not
  // predicted.
  double edge_chance = 0;
  double cloud_chance = 0;
  double utility = 0;     // Predicted gain of the cloud over the edge, -1..1; 0 if not predicted.
  double threshold = 0;   // What `utility` was compared with.
  double cost = 0;        // Normalised cost of the cloud, 0..1.
  double usd_price = 0;   // Gain that a dollar must bring; 0 where the policy has no such price.
  double time_price = 0;  // Gain that a second of the query's time must bring.
  double propensity = 1;  // Probability with which this policy takes this action here.
  Alternatives alternatives;
  Reason reason;  // One short clause for people: "gain 0.31 > threshold 0.22".
};

}  // namespace hf
