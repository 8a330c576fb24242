// Which failure of a call it is that HTTP shows. Thread safety: none needed, there is no state.
#pragma once

#include "model/failure.h"
#include "net/http_client.h"

namespace hf {

// REQUIRES: a status of an answer that is none of success.
Failure failure_of_status(int status);
// REQUIRES: not kNone.
Failure failure_of_error(net::CallError error);

}  // namespace hf
