// Values by numeric id, in one block of memory: no allocation as long as there are no more of them
// than there were before. Made for ids that count up, which then lie side by side. Not ordered.
// Thread safety: none.
//
// Open addressing by the low bits of the id; entries stay sorted by the place they belong to
// ("Robin Hood hashing", Celis 1986), so that erasing needs no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace hf {

template <class Value>
class IdMap {
 public:
  // The value, or null. Valid until the next `insert` or `erase`.
  [[nodiscard]] Value* find(std::uint64_t id) {
    const std::size_t at = place_of(id);
    return at == slots_.size() ? nullptr : &slots_[at].value;
  }

  // REQUIRES: it is there.
  [[nodiscard]] Value& at(std::uint64_t id) {
    Value* const value = find(id);
    HF_ASSERT(value != nullptr);
    return *value;
  }

  // REQUIRES: it is not there.
  void insert(std::uint64_t id, Value value) {
    HF_ASSERT(find(id) == nullptr);
    if (++size_ > slots_.size() / 2) {
      for (Slot& old : std::exchange(slots_, std::vector<Slot>(slots_.size() * 2))) {
        if (old.distance != 0) place(old.id, std::move(old.value));
      }
    }
    place(id, std::move(value));
  }

  // Does nothing if it is not there.
  void erase(std::uint64_t id) {
    std::size_t at = place_of(id);
    if (at == slots_.size()) return;
    // Who stands behind it and not where he belongs moves up.
    for (std::size_t next = after(at); slots_[next].distance > 1; next = after(next)) {
      slots_[at] = std::move(slots_[next]);
      --slots_[at].distance;
      at = next;
    }
    slots_[at] = Slot{};
    --size_;
  }

 private:
  struct Slot {
    std::uint64_t id = 0;
    std::uint32_t distance = 0;  // From the place where it belongs, plus one; 0: empty.
    Value value{};
  };

  [[nodiscard]] std::size_t home_of(std::uint64_t id) const { return id & (slots_.size() - 1); }
  [[nodiscard]] std::size_t after(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  // Where it is; behind the last one if nowhere.
  [[nodiscard]] std::size_t place_of(std::uint64_t id) const {
    std::size_t at = home_of(id);
    for (std::uint32_t distance = 1; slots_[at].distance >= distance; ++distance) {
      if (slots_[at].id == id) return at;
      at = after(at);
    }
    return slots_.size();
  }

  void place(std::uint64_t id, Value value) {
    Slot slot{id, 1, std::move(value)};
    std::size_t at = home_of(id);
    for (; slots_[at].distance != 0; at = after(at)) {
      if (slots_[at].distance < slot.distance) std::swap(slots_[at], slot);
      ++slot.distance;
    }
    slots_[at] = std::move(slot);
  }

  std::vector<Slot> slots_ = std::vector<Slot>(16);  // A power of two; at most half are used.
  std::size_t size_ = 0;
};

}  // namespace hf
