// One request of a client that is passed on as it came: the answer's bytes go to the client as the
// endpoint sends them.
//
// Thread safety: the loop's thread only.
#pragma once

#include <string>
#include <string_view>

#include "serve/client_run.h"

namespace hf::serve {

class ForwardRun final : public ClientRun {
 public:
  using ClientRun::ClientRun;

  void on_answer_restart() override;
  void on_forward_head(EndpointId endpoint, const net::CallHead& head) override;
  void on_forward_bytes(std::string_view bytes) override;
  void on_forward_error(const net::CallHead& head, std::string_view body) override;

 private:
  void answer(const Receipt& receipt) override;
  // The endpoint's headers that are passed on; with what the run was in the end. Once.
  net::Headers take_headers();
  net::Headers take_headers(const Receipt& receipt);

  net::CallHead head_;
  std::string body_;  // Of a whole answer, or of the last failure.
  bool has_begun_ = false;
  bool is_failure_ = false;  // `head_` and `body_` are an endpoint's answer of failure.
};

}  // namespace hf::serve
