#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/assert.h"

namespace hf::engine {
namespace {

std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

PrefixCache::PrefixCache(std::size_t sequences, std::size_t cells)
    : sequences_(sequences), holders_(cells), free_(cells) {
  for (std::size_t i = 0; i < cells; ++i) free_[i] = static_cast<Cell>(cells - 1 - i);
}

PrefixCache::Sequence& PrefixCache::at(SequenceId id) {
  return sequences_.at(static_cast<std::size_t>(id));
}

const PrefixCache::Sequence& PrefixCache::at(SequenceId id) const {
  return sequences_.at(static_cast<std::size_t>(id));
}

std::optional<PrefixCache::Opened> PrefixCache::open(std::span<const Token> tokens,
                                                     std::size_t limit) {
  HF_ASSERT(!tokens.empty() && limit >= tokens.size());
  const auto find_free = [this] {
    return std::ranges::find(sequences_, State::kFree, &Sequence::state);
  };
  Opened opened;
  auto free = find_free();
  if (free == sequences_.end()) {
    opened.evicted = evict();
    if (!opened.evicted) return std::nullopt;
    free = find_free();
  }
  opened.id = static_cast<SequenceId>(free - sequences_.begin());
  free->state = State::kWaiting;
  free->tokens.assign(tokens.begin(), tokens.end());
  free->limit = limit;
  return opened;
}

PrefixCache::Advice PrefixCache::advice(SequenceId id) const {
  const Sequence& self = at(id);
  Advice copy{.kind = Advice::Kind::kCopy};
  Advice wait{.kind = Advice::Kind::kWait};
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& other = sequences_[i];
    if (&other == &self || other.tokens.empty()) continue;
    const std::size_t common =
        std::min(common_prefix(self.tokens, other.tokens), self.tokens.size() - 1);
    const std::size_t ready = std::min(common, other.cells.size());
    if (ready > copy.length) {
      copy.source = static_cast<SequenceId>(i);
      copy.length = ready;
    }
    if (other.state == State::kActive && common > wait.length) {
      wait.source = static_cast<SequenceId>(i);
      wait.length = common;
    }
  }
  if (wait.length >= copy.length + kWaitGain) return wait;
  return copy.length > 0 ? copy : Advice{};
}

void PrefixCache::copy(SequenceId source, SequenceId id, std::size_t length) {
  Sequence& from = at(source);
  Sequence& to = at(id);
  HF_ASSERT(to.cells.empty() && length <= from.cells.size() && length < to.tokens.size());
  from.last_use = ++clock_;
  to.cells.assign(from.cells.begin(), from.cells.begin() + static_cast<std::ptrdiff_t>(length));
  for (const Cell cell : to.cells) ++holders_[cell];
}

void PrefixCache::start(SequenceId id) {
  at(id).state = State::kActive;
}

void PrefixCache::compute(SequenceId id, std::size_t count) {
  Sequence& sequence = at(id);
  HF_ASSERT(sequence.cells.size() + count <= sequence.tokens.size() && count <= free_.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Cell cell = free_.back();
    free_.pop_back();
    holders_[cell] = 1;
    sequence.cells.push_back(cell);
  }
  used_ += count;
}

void PrefixCache::append(SequenceId id, Token token) {
  Sequence& sequence = at(id);
  HF_ASSERT(sequence.tokens.size() < sequence.limit);
  sequence.tokens.push_back(token);
}

void PrefixCache::retain(SequenceId id) {
  Sequence& sequence = at(id);
  if (sequence.cells.empty()) return drop(id);
  sequence.tokens.resize(sequence.cells.size());
  sequence.state = State::kRetained;
  sequence.last_use = ++clock_;
}

void PrefixCache::drop(SequenceId id) {
  Sequence& sequence = at(id);
  for (const Cell cell : sequence.cells) {
    if (--holders_[cell] > 0) continue;
    free_.push_back(cell);
    --used_;
  }
  sequence = {};
}

std::size_t PrefixCache::outstanding() const {
  std::size_t sum = 0;
  for (const Sequence& sequence : sequences_) {
    if (sequence.state == State::kWaiting || sequence.state == State::kActive) {
      sum += sequence.limit - sequence.cells.size();
    }
  }
  return sum;
}

bool PrefixCache::fits() const {
  std::vector<bool> held(holders_.size());
  for (const Sequence& sequence : sequences_) {
    if (sequence.state != State::kWaiting && sequence.state != State::kActive) continue;
    for (const Cell cell : sequence.cells) held[cell] = true;
  }
  const auto active = static_cast<std::size_t>(std::ranges::count(held, true));
  return active + outstanding() <= holders_.size();
}

std::vector<SequenceId> PrefixCache::make_room() {
  std::vector<SequenceId> gone;
  while (free_.size() < outstanding()) {
    const std::optional<SequenceId> id = evict();
    HF_ASSERT(id.has_value());
    gone.push_back(*id);
  }
  return gone;
}

std::optional<SequenceId> PrefixCache::evict() {
  std::optional<SequenceId> oldest;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].state != State::kRetained) continue;
    const auto id = static_cast<SequenceId>(i);
    if (!oldest || sequences_[i].last_use < at(*oldest).last_use) oldest = id;
  }
  if (oldest) drop(*oldest);
  return oldest;
}

std::span<const Token> PrefixCache::tokens(SequenceId id) const {
  return at(id).tokens;
}

std::size_t PrefixCache::computed(SequenceId id) const {
  return at(id).cells.size();
}

}  // namespace hf::engine
