// Tokens and money do not add up.
#include "base/ids.h"
#include "base/units.h"

auto sum = hf::Tokens(5) + hf::PicoUsd(6);
