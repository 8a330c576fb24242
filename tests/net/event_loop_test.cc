// Goal: the loop runs work in order, once, on its own thread, and forgets what was cancelled.
// Method: a real loop; each test ends by the loop's own stop().
#include "net/event_loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace hf::net {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, PostedWorkRunsInOrderInALaterTurn) {
  EventLoop loop;
  std::string order;
  loop.post([&] {
    loop.post([&] {
      order += 'c';
      loop.stop();
    });
    order += 'a';
  });
  loop.post([&] { order += 'b'; });
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, WorkMayBePostedFromManyThreads) {
  EventLoop loop;
  int count = 0;
  const auto loop_thread = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        loop.post([&] {
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          if (++count == 4000) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4000);
}

TEST(EventLoop, StopBeforeRunEndsItAtOnceAndItCanRunAgain) {
  EventLoop loop;
  loop.stop();
  loop.run();
  bool ran = false;
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(EventLoop, TimersFireInOrderOfTimeAndNotEarly) {
  EventLoop loop;
  std::string order;
  const TimePoint start = loop.now();
  const auto late = loop.at(start + 20ms, [&] {
    order += 'b';
    EXPECT_GE(loop.now(), start + 20ms);
    loop.stop();
  });
  const auto early = loop.at(start + 10ms, [&] { order += 'a'; });
  loop.run();
  EXPECT_EQ(order, "ab");
}

TEST(EventLoop, TimeInThePastIsNowAndTheFarFutureIsNever) {
  EventLoop loop;
  const auto never = loop.at(TimePoint::max(), [] { FAIL(); });
  const auto past = loop.at(TimePoint::min(), [&] { loop.stop(); });
  loop.run();
}

TEST(EventLoop, DestroyedTimerDoesNotFireEvenIfItWasDue) {
  EventLoop loop;
  std::unique_ptr<EventLoop::Timer> second;
  const auto first = loop.at(TimePoint(), [&] { second.reset(); });
  second = loop.at(TimePoint(1ns), [] { FAIL() << "was cancelled in the turn it was due"; });
  const auto last = loop.at(loop.now() + 5ms, [&] { loop.stop(); });
  loop.run();
}

TEST(EventLoop, TimerMayBeDestroyedByItsOwnWork) {
  EventLoop loop;
  std::unique_ptr<EventLoop::Timer> timer;
  const std::string text = "captured by the work, used after the timer is gone";
  std::string seen;
  timer = loop.at(TimePoint(), [&, text] {
    timer.reset();
    seen = text;
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(seen, text);
}

TEST(EventLoop, SignalsBecomeCalls) {
  EventLoop loop;
  std::vector<int> seen;
  loop.on_signal([&](int signal) {
    seen.push_back(signal);
    if (seen.size() == 1) std::raise(SIGTERM);
    if (seen.size() == 2) loop.stop();
  });
  loop.post([] { std::raise(SIGINT); });
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{SIGINT, SIGTERM}));
}

}  // namespace
}  // namespace hf::net
