// A quantity is not a bare number.
#include "base/ids.h"
#include "base/units.h"

std::int64_t number = hf::Tokens(5);
