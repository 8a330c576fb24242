#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace hf {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hybridflow: internal fault: %s does not hold (%s:%d)\n", condition, file,
               line);
  std::abort();
}

}  // namespace hf
