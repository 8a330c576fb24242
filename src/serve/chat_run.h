// One chat completion of a client: listens to its run and answers, whole or streamed.
//
// Thread safety: the loop's thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"
#include "runtime/runtime.h"
#include "wire/chat.h"

namespace hf::serve {

class ChatRun final : public QueryListener {
 public:
  struct Options {
    std::string run;           // Id of the run.
    std::string model;         // As the client called it.
    std::int64_t created = 0;  // Unix seconds.
    bool is_streamed = false;
    bool wants_usage = false;          // A chunk of usage at the end of a stream.
    std::vector<std::string> lowered;  // Fields that asked for more than is allowed.
  };
  using Done = std::move_only_function<void(const Receipt&)>;

  // `give_up` is called, at most once, when nobody waits for the answer any more; `done` when the
  // run is over, and may destroy this object in a later turn.
  ChatRun(std::shared_ptr<net::Responder> responder, Options options,
          std::move_only_function<void()> give_up, Done done);

  void on_answer_text(std::string_view text) override;
  void on_answer_restart() override;
  void on_finish(const Receipt& receipt) override;

 private:
  void begin();
  void write(const wire::ChatPiece& piece, bool is_first, std::string_view summary = {});
  void end_stream(const Receipt& receipt);
  void answer_whole(const Receipt& receipt);
  void fail(const Receipt& receipt);
  void abandon();
  [[nodiscard]] wire::ChatPiece head() const;

  std::shared_ptr<net::Responder> responder_;  // Null once the client has all it will get.
  const Options options_;
  std::move_only_function<void()> give_up_;
  Done done_;
  bool has_begun_ = false;  // Text is on its way.
};

}  // namespace hf::serve
