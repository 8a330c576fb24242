// What is inside an EventLoop: the Asio context. For the files of this folder only.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <functional>

#include "net/event_loop.h"

namespace hf::net {

struct EventLoop::Impl {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
      context.get_executor()};
  boost::asio::signal_set signals{context};
  std::move_only_function<void(int)> signal_work;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  // Waits for the next signal, and after it for the one after.
  void wait_for_signal();
};

}  // namespace hf::net
