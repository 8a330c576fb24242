// Exits 0 when temporaries inside co_await expressions are created and destroyed exactly once and
// when a long chain of finished awaits does not grow the stack.
#include <coroutine>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

namespace {

int live = 0;

struct Counted {
  Counted() { ++live; }
  Counted(const Counted&) { ++live; }
  Counted(Counted&&) noexcept { ++live; }
  ~Counted() { --live; }
};

struct Arguments {
  Counted counted;
  std::string text;
};

struct Task {
  struct promise_type {
    std::coroutine_handle<> waiter = std::noop_coroutine();
    int value = 0;
    Task get_return_object() {
      return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Resume {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().waiter;
        }
        void await_resume() noexcept {}
      };
      return Resume{};
    }
    void return_value(int result) { value = result; }
    void unhandled_exception() { std::abort(); }
  };

  explicit Task(std::coroutine_handle<promise_type> started) : handle(started) {}
  Task(Task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  ~Task() {
    if (handle) handle.destroy();
  }
  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) {
    handle.promise().waiter = waiter;
    return handle;
  }
  int await_resume() { return handle.promise().value; }

  std::coroutine_handle<promise_type> handle;
};

Task take(Arguments arguments) {
  co_return static_cast<int>(arguments.text.size());
}
Task call(std::function<int()> function) {
  co_return function();
}

Task probe() {
  const Counted captured;
  int sum =
      co_await take({.counted = Counted{}, .text = "a text that does not fit in place at all"});
  sum += co_await take(Arguments{Counted{}, "another text that does not fit in place at all"});
  sum += co_await call([captured] { return 1; });
  sum += co_await [](Counted) -> Task { co_return 1; }(Counted{});
  for (int i = 0; i < 1'000'000; ++i) sum += co_await call([] { return 0; });
  co_return sum;
}

}  // namespace

int main() {
  Task task = probe();
  task.handle.resume();
  return task.handle.done() && live == 0 && task.await_resume() == 40 + 46 + 2 ? 0 : 1;
}
