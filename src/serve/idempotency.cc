#include "serve/idempotency.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace hf::serve {
namespace {

constexpr std::string_view kErrorEvent = R"(data: {"error":)";

}  // namespace

// An answer so far, and those who wait for the rest.
class Idempotency::Record {
 public:
  Record(std::string_view request, std::int64_t at) : request_(request), at_(at) {}

  [[nodiscard]] bool is_for(std::string_view request) const { return request_ == request; }
  [[nodiscard]] bool is_dead() const { return is_dead_; }
  [[nodiscard]] std::int64_t at() const { return at_; }
  [[nodiscard]] std::size_t bytes() const { return request_.size() + body_.size(); }

  void follow(std::shared_ptr<net::Responder> responder) {
    if (is_whole_) return responder->send(status_, type_, body_, headers_);
    if (status_ != 0) {
      responder->begin(status_, type_, headers_);
      responder->write(body_);
      if (is_over_) return responder->end();
    }
    followers_.push_back(std::move(responder));
  }

  void send(int status, std::string_view type, std::string body, net::Headers headers) {
    for (const auto& each : followers_) each->send(status, type, body, headers);
    begin_record(status, type, std::move(headers));
    body_ = std::move(body);
    is_whole_ = true;
    end_record();
  }
  void begin(int status, std::string_view type, net::Headers headers) {
    for (const auto& each : followers_) each->begin(status, type, headers);
    begin_record(status, type, std::move(headers));
  }
  void write(std::string_view bytes) {
    std::erase_if(followers_, [&](const auto& each) { return !each->write(bytes); });
    body_ += bytes;
    is_broken_ |= bytes.starts_with(kErrorEvent);
  }
  void end() {
    for (const auto& each : followers_) each->end();
    end_record();
  }
  // Nobody will answer any more.
  void drop() {
    if (is_over_) return;
    is_dead_ = true;
    followers_.clear();
  }

 private:
  void begin_record(int status, std::string_view type, net::Headers headers) {
    status_ = status;
    type_ = type;
    headers_ = std::move(headers);
  }
  void end_record() {
    is_over_ = true;
    is_dead_ = status_ >= 400 || is_broken_;
    followers_.clear();
  }

  const std::string request_;
  const std::int64_t at_;
  int status_ = 0;
  std::string type_;
  net::Headers headers_;
  std::string body_;
  bool is_whole_ = false;
  bool is_over_ = false;
  bool is_broken_ = false;  // It is a stream that ended with an error.
  bool is_dead_ = false;
  std::vector<std::shared_ptr<net::Responder>> followers_;
};

// Answers whoever waits, and keeps what it said. The run goes on when they leave.
class Idempotency::Keeping final : public net::Responder {
 public:
  explicit Keeping(std::shared_ptr<Record> record) : record_(std::move(record)) {}
  ~Keeping() override { record_->drop(); }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;

  void send(int status, std::string_view type, std::string body, net::Headers headers) override {
    record_->send(status, type, std::move(body), std::move(headers));
  }
  void begin(int status, std::string_view type, net::Headers headers) override {
    record_->begin(status, type, std::move(headers));
  }
  bool write(std::string_view bytes) override {
    record_->write(bytes);
    return true;
  }
  void end() override { record_->end(); }
  void on_close(std::move_only_function<void()> /*gone*/) override {}
  [[nodiscard]] bool is_open() const override { return true; }

 private:
  const std::shared_ptr<Record> record_;
};

Idempotency::Found Idempotency::enter(const std::string& key, std::string_view body,
                                      std::int64_t now,
                                      std::shared_ptr<net::Responder>& responder) {
  forget_old(now);
  if (const auto found = records_.find(key); found != records_.end()) {
    if (!found->second->is_dead()) {
      if (!found->second->is_for(body)) return Found::kConflict;
      found->second->follow(std::move(responder));
      return Found::kKnown;
    }
    records_.erase(found);
    std::erase(order_, key);
  }
  const auto record = std::make_shared<Record>(body, now);
  record->follow(std::exchange(responder, std::make_shared<Keeping>(record)));
  records_.emplace(key, record);
  order_.push_back(key);
  return Found::kNew;
}

void Idempotency::forget_old(std::int64_t now) {
  std::size_t bytes = 0;
  for (const auto& [key, record] : records_) bytes += record->bytes();
  while (!order_.empty()) {
    const auto oldest = records_.find(order_.front());
    const bool is_old = oldest->second->at() + options_.seconds < now;
    if (!is_old && order_.size() < options_.answers_max && bytes <= options_.bytes_max) return;
    bytes -= oldest->second->bytes();
    records_.erase(oldest);
    order_.pop_front();
  }
}

}  // namespace hf::serve
