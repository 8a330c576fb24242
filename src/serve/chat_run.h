// One chat completion of a client that this program answers itself, whole or streamed.
//
// Thread safety: the loop's thread only.
#pragma once

#include <string_view>

#include "serve/client_run.h"
#include "wire/chat.h"

namespace hf::serve {

class ChatRun final : public ClientRun {
 public:
  using ClientRun::ClientRun;

  void on_answer_text(std::string_view text) override;
  void on_answer_restart() override;

 private:
  void answer(const Receipt& receipt) override;
  void show(std::string_view event) override;
  void begin();
  void write(const wire::ChatPiece& piece, std::string_view summary = {});
  void end_stream(const Receipt& receipt);
  void answer_whole(const Receipt& receipt);
  void fail(const Receipt& receipt);
  [[nodiscard]] wire::ChatPiece head() const;
  [[nodiscard]] net::Headers headers(const Receipt& receipt) const;

  bool has_begun_ = false;  // The head of the stream is on its way,
  bool has_text_ = false;   // and a first chunk.
};

}  // namespace hf::serve
