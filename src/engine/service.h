// The engine's HTTP routes: OpenAI's chat completions, models and embeddings, and health, metrics
// and token counts. Turns requests into jobs and updates into answers; decodes nothing itself.
// Thread safety: the loop's thread only; answers of the worker are posted to it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat_reply.h"
#include "engine/job.h"
#include "engine/lab.h"
#include "engine/model.h"
#include "engine/stats.h"
#include "engine/worker.h"
#include "net/event_loop.h"
#include "net/http_server.h"

namespace hf::engine {

class Service {
 public:
  static constexpr std::size_t kInputsMax = 256;  // Texts of one embeddings request.

  struct Options {
    std::string name;          // The model's, as served.
    std::int64_t started = 0;  // Unix seconds; ids and times of answers count from it.
    std::size_t queue = 64;
    Loading loading = Loading::kAtOnce;
    LabOptions lab;
    std::optional<LabCache> lab_cache;
  };

  // All references must outlive the service.
  Service(net::EventLoop& loop, Worker& worker, const Stats& stats, Options options);

  void handle(net::Request request, std::shared_ptr<net::Responder> responder);
  // The model is loaded and lives as long as the worker.
  void model_is_ready(const Model& model);

 private:
  using ResponderPtr = std::shared_ptr<net::Responder>;
  struct Chat {
    std::unique_ptr<ChatReply> reply;
    std::string lab_key;                    // Empty: the answer is not to be kept.
    std::vector<wire::ChatPiece> recorded;  // For the lab's cache.
    bool is_working = false;                // The worker has a job for it.
  };

  void chat(const net::Request& request, ResponderPtr responder);
  void replay(JobId id, const std::vector<wire::ChatPiece>& pieces);
  void start(JobId id, wire::ChatRequest request);
  void update_chat(JobId id, Update update);
  void end_chat(JobId id, int status);

  void embeddings(const net::Request& request, ResponderPtr responder);
  void answer_embeddings(JobId id, const Update& update);
  void tokenize(const net::Request& request, const ResponderPtr& responder);
  void count_tokens(const net::Request& request, net::Responder& responder);
  void models(net::Responder& responder);
  void health(net::Responder& responder);
  void metrics(net::Responder& responder);

  void refuse(net::Responder& responder, int status, std::string_view message,
              std::string_view code);
  void refuse(net::Responder& responder, const JobFailed& failure);
  void answer(net::Responder& responder, std::string body);
  [[nodiscard]] std::function<void(Update)> to_loop(std::function<void(Update)> deliver);
  [[nodiscard]] bool is_known(std::string_view model) const;
  [[nodiscard]] std::int64_t unix_time() const;
  [[nodiscard]] net::Headers headers() const;

  net::EventLoop& loop_;
  Worker& worker_;
  const Stats& stats_;
  const Options options_;
  const Model* model_ = nullptr;
  std::map<JobId, Chat> chats_;
  std::map<JobId, ResponderPtr> embeds_;
  std::vector<std::function<void()>> when_ready_;
  std::map<int, std::uint64_t> answered_;  // By status.
  std::uint64_t last_job_ = 0;
};

}  // namespace hf::engine
