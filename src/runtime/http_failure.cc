#include "runtime/http_failure.h"

namespace hf {

Failure failure_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return Failure::kUnauthorized;
    case 404:
      return Failure::kNotFound;
    case 408:
      return Failure::kFirstTokenTimeout;
    case 429:
      return Failure::kRateLimited;
    case 503:
    case 529:
      return Failure::kOverloaded;
    default:
      return status >= 500 ? Failure::kServer : Failure::kRejected;
  }
}

Failure failure_of_error(net::CallError error) {
  switch (error) {
    case net::CallError::kConnect:
      return Failure::kRefused;
    case net::CallError::kConnectTimeout:
      return Failure::kConnectTimeout;
    case net::CallError::kFirstByteTimeout:
      return Failure::kFirstTokenTimeout;
    case net::CallError::kGapTimeout:
      return Failure::kGapTimeout;
    case net::CallError::kTotalTimeout:
      return Failure::kTotalTimeout;
    case net::CallError::kCut:
      return Failure::kCut;
    case net::CallError::kTooLarge:
    case net::CallError::kProtocol:
    case net::CallError::kNone:
      return Failure::kMalformed;
  }
  return Failure::kMalformed;
}

}  // namespace hf
