// One kind of id is not another.
#include "base/ids.h"
#include "base/units.h"

hf::EndpointId endpoint = hf::SubtaskId{1};
