// Nobody can ask the core for the time.
#include "base/ids.h"
#include "base/units.h"

auto now = hf::Timeline::now();
