// A bare number is not a quantity.
#include "base/ids.h"
#include "base/units.h"

hf::Tokens tokens = 5;
