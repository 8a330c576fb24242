// What the neighbours may not do, done rightly.
#include "base/ids.h"
#include "base/units.h"

hf::Tokens tokens = hf::Tokens(5) + hf::Tokens(6);
hf::PicoUsd money(7);
bool more = tokens > hf::Tokens(10);
hf::TimePoint when{};
std::int64_t bare = tokens.count();
hf::EndpointId endpoint{1};
