// A quantity does not compare with a bare number.
#include "base/ids.h"
#include "base/units.h"

bool more = hf::Tokens(5) > 4;
