// Who holds which tokens in the key-value memory: the bookkeeping behind prefix reuse.
//
// A sequence has planned tokens (its prompt and what was generated) of which the first `computed`
// are in memory. Sequences share the cells of a common prefix, so a cell is counted once however
// many hold it. Finished sequences are retained for reuse until their cells or their numbers are
// needed, oldest use first. This class only keeps the books: its owner carries out every copy and
// removal in the real memory. Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hf::engine {

using Token = std::int32_t;
using SequenceId = std::int32_t;  // 0 to sequences - 1, as the model's memory numbers them.

class PrefixCache {
 public:
  // A prefix that others are about to compute is worth waiting for if it is this much longer than
  // what is there already.
  static constexpr std::size_t kWaitGain = 16;

  PrefixCache(std::size_t sequences, std::size_t cells);

  // Takes a free number for a prompt that will never hold more than `limit` tokens; nullopt if all
  // are taken by active sequences. `evicted` is a retained sequence that had to go, if any.
  // REQUIRES: tokens not empty, limit >= tokens.size().
  struct Opened {
    SequenceId id = 0;
    std::optional<SequenceId> evicted;
  };
  std::optional<Opened> open(std::span<const Token> tokens, std::size_t limit);

  // How `id`, of which nothing is computed, should get its prompt: at once, after copying `length`
  // tokens from `source`, or later because an active sequence is computing a longer shared prefix.
  // The last token of a prompt is never copied: its logits are needed.
  struct Advice {
    enum class Kind : std::uint8_t { kCompute, kCopy, kWait };
    Kind kind = Kind::kCompute;
    SequenceId source = 0;
    std::size_t length = 0;
  };
  [[nodiscard]] Advice advice(SequenceId id) const;

  // `id` shares the first `length` computed tokens of `source`. REQUIRES: nothing of `id` computed.
  void copy(SequenceId source, SequenceId id, std::size_t length);
  // `id` computes from now on: others may wait for it.
  void start(SequenceId id);
  // The next `count` planned tokens of `id` are in memory. REQUIRES: cells for them are free.
  void compute(SequenceId id, std::size_t count);
  // Plans one more token. REQUIRES: within the limit of `open`.
  void append(SequenceId id, Token token);
  // `id` is finished; what it computed stays for reuse, and the rest is forgotten.
  void retain(SequenceId id);
  // Forgets `id` altogether.
  void drop(SequenceId id);

  // Whether all active sequences can reach their limits if everything retained goes.
  [[nodiscard]] bool fits() const;
  // Retained sequences that must go now so that all active ones can reach their limits; forgets
  // them, least recently used first. REQUIRES: fits().
  std::vector<SequenceId> make_room();
  // Forgets the least recently used retained sequence.
  std::optional<SequenceId> evict();

  [[nodiscard]] std::span<const Token> tokens(SequenceId id) const;
  [[nodiscard]] std::size_t computed(SequenceId id) const;
  [[nodiscard]] std::size_t used_cells() const { return used_; }

 private:
  using Cell = std::uint32_t;
  enum class State : std::uint8_t { kFree, kWaiting, kActive, kRetained };
  struct Sequence {
    State state = State::kFree;
    std::vector<Token> tokens;
    std::vector<Cell> cells;  // Of the computed tokens, in order.
    std::size_t limit = 0;
    std::uint64_t last_use = 0;
  };

  [[nodiscard]] Sequence& at(SequenceId id);
  [[nodiscard]] const Sequence& at(SequenceId id) const;
  // Tokens that active sequences have yet to compute at most.
  [[nodiscard]] std::size_t outstanding() const;

  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> holders_;  // By cell.
  std::vector<Cell> free_;
  std::size_t used_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace hf::engine
