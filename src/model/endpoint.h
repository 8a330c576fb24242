// What the core knows of something that completes chats. Addresses and keys stay in config/ and
// runtime/; the core sees names, tiers, prices and limits.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"

namespace hf {

// What an endpoint is to the router: cheap and near, or good and paid for.
enum class Tier : std::uint8_t { kEdge, kCloud };

// Picodollars per token: the list price in dollars per million tokens times a million.
struct Price {
  PicoUsd prompt;
  PicoUsd cached;  // Prompt tokens that the endpoint served from its prefix cache.
  PicoUsd completion;

  friend bool operator==(const Price&, const Price&) = default;
};

struct Endpoint {
  std::string name;
  Tier tier = Tier::kEdge;
  Price price;
  std::uint32_t max_in_flight = 1;  // Calls at once; more wait.
  bool lab = false;                 // A stand-in for a cloud; shown wherever the endpoint is shown.
  bool is_local = false;            // What must not leave this machine may go there.
};

}  // namespace hf
