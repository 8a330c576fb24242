#include "net/event_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <utility>

#include "net/event_loop_impl.h"

namespace hf::net {
namespace {

namespace asio = boost::asio;

// So far away that it never comes, and still far from the end of the clock's range.
constexpr Duration kFar = std::chrono::hours(24 * 365 * 100);

class AsioTimer final : public EventLoop::Timer {
 public:
  AsioTimer(asio::io_context& context, std::chrono::steady_clock::time_point at,
            std::move_only_function<void()> work)
      : timer_(context, at),
        work_(std::make_shared<std::move_only_function<void()>>(std::move(work))) {
    // The handler may already be queued when the timer is destroyed: the work is then empty.
    timer_.async_wait([work = work_](const boost::system::error_code& error) {
      if (error || !*work) return;
      auto taken = std::exchange(*work, nullptr);
      taken();
    });
  }
  ~AsioTimer() override { *work_ = nullptr; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<std::move_only_function<void()>> work_;
};

}  // namespace

void EventLoop::Impl::wait_for_signal() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    signal_work(signal);
    wait_for_signal();
  });
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->context.run();
  impl_->context.restart();
}

void EventLoop::stop() {
  impl_->context.stop();
}

void EventLoop::post(std::move_only_function<void()> work) {
  asio::post(impl_->context, [work = std::move(work)]() mutable { work(); });
}

TimePoint EventLoop::now() const {
  return TimePoint(std::chrono::steady_clock::now() - impl_->started);
}

std::unique_ptr<EventLoop::Timer> EventLoop::at(TimePoint at,
                                                std::move_only_function<void()> work) {
  const Duration delay = std::clamp(at.time_since_epoch(), Duration::zero(), kFar);
  return std::make_unique<AsioTimer>(impl_->context, impl_->started + delay, std::move(work));
}

void EventLoop::on_signal(std::move_only_function<void(int)> work) {
  const bool is_first = !impl_->signal_work;
  impl_->signal_work = std::move(work);
  if (!is_first) return;
  impl_->signals.add(SIGINT);
  impl_->signals.add(SIGTERM);
  // Whoever started this with nohup wants it to outlive the terminal.
  struct sigaction hangup{};
  const bool is_ignored =
      ::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
  if (!is_ignored) impl_->signals.add(SIGHUP);
  impl_->wait_for_signal();
}

}  // namespace hf::net
