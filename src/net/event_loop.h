// One thread's turn-taking: posted work, timers, signals.
//
// The loop owns no thread; whoever calls run() is the loop thread. Everything but post() and stop()
// must be called on that thread or before run().
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/units.h"

namespace hf::net {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until stop(). The CPU is idle while there is nothing to do.
  void run();
  // Thread-safe.
  void stop();
  // Runs `work` on the loop thread in a later turn, in order of posting. Thread-safe.
  void post(std::move_only_function<void()> work);

  // Time since the loop was made, from the steady clock.
  [[nodiscard]] TimePoint now() const;

  // Runs `work` once at `at` or soon after; the returned handle cancels it when destroyed.
  class Timer;
  [[nodiscard]] std::unique_ptr<Timer> at(TimePoint at, std::move_only_function<void()> work);

  // Runs `work` on each SIGINT, SIGTERM and SIGHUP (unless that is ignored) instead of dying from
  // it; the argument is the signal.
  void on_signal(std::move_only_function<void(int)> work);

  // The Asio context, for this folder only.
  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class EventLoop::Timer {
 public:
  virtual ~Timer() = default;
};

}  // namespace hf::net
