#include "engine/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <utility>

#include "base/assert.h"
#include "base/rng.h"

namespace hf::engine {
namespace {

bool goes_before(std::int32_t priority_a, std::uint64_t arrival_a, std::int32_t priority_b,
                 std::uint64_t arrival_b) {
  return priority_a != priority_b ? priority_a > priority_b : arrival_a < arrival_b;
}

template <class List, class Entry>
void insert_in_order(List& list, Entry entry) {
  const auto after = std::ranges::find_if(list, [&](const auto& other) {
    return goes_before(entry->priority, entry->arrival, other->priority, other->arrival);
  });
  list.insert(after, std::move(entry));
}

// Of the whole process: the threads that compute are nearly all of it.
Duration processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

// A chat that has no slot yet.
struct Batcher::Waiting {
  Job job;
  std::vector<Token> prompt;
  std::size_t limit;  // Prompt and answer, at most.
  Sampler sampler;
  std::int32_t priority;
  std::uint64_t arrival;
};

struct Batcher::Slot {
  enum class Phase : std::uint8_t { kWaiting, kPrompt, kAnswer, kFinished };

  Slot(Waiting&& from, SequenceId id, std::vector<std::string> stops)
      : job(std::move(from.job)),
        sequence(id),
        prompt(from.prompt.size()),
        limit(from.limit),
        sampler(std::move(from.sampler)),
        text(std::move(stops)),
        priority(from.priority),
        arrival(from.arrival) {}

  Job job;
  SequenceId sequence;
  std::size_t prompt;
  std::size_t limit;
  Sampler sampler;
  TextStream text;
  std::int32_t priority;
  std::uint64_t arrival;
  Phase phase = Phase::kWaiting;
  std::size_t cached = 0;
  std::size_t generated = 0;
  std::size_t in_batch = 0;     // Tokens in the current batch.
  std::int32_t logits_at = -1;  // Row of the batch with its logits, if any.
  double logprob_sum = 0;
  std::vector<float> token_logprobs;
  double margin_sum = 0;
  std::vector<wire::TokenLogprob> logprobs;  // Not told yet.
};

Result<std::unique_ptr<Batcher>> Batcher::create(const Model& model, const ThreadPool& pool,
                                                 const Options& options,
                                                 const std::atomic<bool>& stop, Stats& stats) {
  std::unique_ptr<Batcher> batcher(new Batcher(model, pool, options, stats));
  HF_CHECK(batcher->make_context(std::min(options.context, model.training_context()), stop));
  return batcher;
}

Batcher::Batcher(const Model& model, const ThreadPool& pool, const Options& options, Stats& stats)
    : model_(model), pool_(pool), options_(options), stats_(stats) {}

Batcher::~Batcher() {
  if (batch_.token != nullptr) llama_batch_free(batch_);
}

Result<void> Batcher::make_context(std::uint32_t context, const std::atomic<bool>& stop) {
  const std::size_t sequences =
      std::min(options_.slots + kRetained, llama_max_parallel_sequences());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = context;
  params.n_batch = kBatch;
  params.n_ubatch = kBatch;
  params.n_seq_max = static_cast<std::uint32_t>(sequences);
  params.kv_unified = true;
  params.n_threads = pool_.threads();
  params.n_threads_batch = pool_.threads();
  params.abort_callback = [](void* flag) {
    return static_cast<const std::atomic<bool>*>(flag)->load(std::memory_order_relaxed);
  };
  params.abort_callback_data = const_cast<std::atomic<bool>*>(&stop);
  try {
    context_.reset(llama_init_from_model(model_.raw(), params));
  } catch (const std::exception& e) {
    return fail(Code::kInternal, fmt::format("The model's memory cannot be set up: {}.", e.what()));
  }
  if (context_ == nullptr) {
    return fail(Code::kInternal,
                fmt::format("The model's memory for a context of {} tokens cannot be set up; there "
                            "may be too little RAM: choose a smaller --context.",
                            context));
  }
  pool_.attach(context_.get());
  threads_ = static_cast<std::size_t>(pool_.threads());
  cells_ = context;
  cache_ = std::make_unique<PrefixCache>(sequences, cells_);
  batch_ = llama_batch_init(kBatch, 0, 1);
  stats_.cells = cells_;
  return {};
}

void Batcher::offer(Job job) {
  const auto& request = std::get<wire::ChatRequest>(job.ask);
  const auto refuse = [&job](std::string message, std::string code) {
    job.tell(JobFailed{400, std::move(message), std::move(code)});
  };
  Result<std::vector<Token>> prompt = model_.prompt(request.messages);
  if (!prompt) return refuse(prompt.error().message, "invalid_prompt");
  if (prompt->size() >= cells_) {
    return refuse(fmt::format("The prompt has {} tokens, but the context holds {} with at least "
                              "one of the answer; shorten the prompt.",
                              prompt->size(), cells_),
                  "context_length_exceeded");
  }
  Result<Sampler> sampler = Sampler::create(
      model_, {.temperature = request.temperature.value_or(1),
               .top_p = request.top_p.value_or(1),
               .seed = request.seed.value_or(options_.seed ^ std::to_underlying(job.id)),
               .grammar = request.grammar,
               .top_logprobs = request.logprobs ? request.top_logprobs : 0});
  if (!sampler) return refuse(sampler.error().message, "invalid_grammar");

  const std::size_t room = cells_ - prompt->size();
  const std::size_t wanted = request.max_tokens
                                 ? static_cast<std::size_t>(request.max_tokens->count())
                                 : kDefaultMaxTokens;
  const std::size_t limit = prompt->size() + std::min(wanted, room);
  const std::int32_t priority = request.priority;
  insert_in_order(queue_, std::make_unique<Waiting>(std::move(job), *std::move(prompt), limit,
                                                    *std::move(sampler), priority, ++arrivals_));
}

void Batcher::cancel(JobId id) {
  std::erase_if(queue_, [id](const auto& waiting) { return waiting->job.id == id; });
  for (const auto& slot : slots_) {
    if (slot->job.id == id) slot->phase = Slot::Phase::kFinished;
  }
  forget_finished();
  update_stats();
}

void Batcher::step(std::size_t threads) {
  for (const auto& slot : slots_) {
    if (slot->phase == Slot::Phase::kWaiting) settle(*slot);
  }
  admit();
  fill_batch();
  if (batch_.n_tokens > 0 && decode(threads)) {
    for (const auto& slot : slots_) {
      if (slot->logits_at >= 0) sample(*slot);
    }
  }
  forget_finished();
  update_stats();
}

void Batcher::admit() {
  while (!queue_.empty() && slots_.size() < options_.slots && try_admit(*queue_.front())) {
    queue_.erase(queue_.begin());
  }
}

bool Batcher::try_admit(Waiting& waiting) {
  const auto opened = cache_->open(waiting.prompt, waiting.limit);
  if (!opened) return false;
  if (opened->evicted) remove_from_memory(*opened->evicted);
  const SequenceId id = opened->id;
  // What is shared needs no room, so it is taken over before counting.
  const PrefixCache::Advice advice =
      model_.can_share() ? cache_->advice(id) : PrefixCache::Advice{};
  if (advice.kind == PrefixCache::Advice::Kind::kCopy) {
    cache_->copy(advice.source, id, advice.length);
  }
  if (!cache_->fits()) {
    cache_->drop(id);
    return false;
  }
  auto stops = std::get<wire::ChatRequest>(waiting.job.ask).stop;
  auto slot = std::make_unique<Slot>(std::move(waiting), id, std::move(stops));
  if (advice.kind == PrefixCache::Advice::Kind::kCopy) {
    llama_memory_seq_cp(llama_get_memory(context_.get()), advice.source, id, 0,
                        static_cast<llama_pos>(advice.length));
    slot->cached = advice.length;
  }
  if (advice.kind != PrefixCache::Advice::Kind::kWait) {
    cache_->start(id);
    slot->phase = Slot::Phase::kPrompt;
  }
  for (const SequenceId gone : cache_->make_room()) remove_from_memory(gone);
  insert_in_order(slots_, std::move(slot));
  return true;
}

void Batcher::settle(Slot& slot) {
  const PrefixCache::Advice advice = cache_->advice(slot.sequence);
  if (advice.kind == PrefixCache::Advice::Kind::kWait) return;
  if (advice.kind == PrefixCache::Advice::Kind::kCopy) {
    cache_->copy(advice.source, slot.sequence, advice.length);
    llama_memory_seq_cp(llama_get_memory(context_.get()), advice.source, slot.sequence, 0,
                        static_cast<llama_pos>(advice.length));
    slot.cached = advice.length;
  }
  cache_->start(slot.sequence);
  slot.phase = Slot::Phase::kPrompt;
}

void Batcher::fill_batch() {
  batch_.n_tokens = 0;
  bool somebody_generates = false;
  for (const auto& slot : slots_) {
    slot->in_batch = 0;
    slot->logits_at = -1;
    if (slot->phase != Slot::Phase::kAnswer) continue;
    somebody_generates = true;
    add_to_batch(*slot, 1);
  }
  std::size_t room = kBatch - static_cast<std::size_t>(batch_.n_tokens);
  if (somebody_generates) room = std::min(room, kPromptBeside);
  for (const auto& slot : slots_) {
    if (slot->phase != Slot::Phase::kPrompt || room == 0) continue;
    const std::size_t left = slot->prompt - cache_->computed(slot->sequence);
    const std::size_t count = std::min(left, room);
    add_to_batch(*slot, count);
    room -= count;
  }
}

void Batcher::add_to_batch(Slot& slot, std::size_t count) {
  const std::span<const Token> tokens = cache_->tokens(slot.sequence);
  const std::size_t from = cache_->computed(slot.sequence);
  for (std::size_t i = from; i < from + count; ++i) {
    const auto row = batch_.n_tokens++;
    batch_.token[row] = tokens[i];
    batch_.pos[row] = static_cast<llama_pos>(i);
    batch_.n_seq_id[row] = 1;
    batch_.seq_id[row][0] = slot.sequence;
    batch_.logits[row] = i + 1 == tokens.size() ? 1 : 0;
    if (batch_.logits[row] != 0) slot.logits_at = row;
  }
  slot.in_batch = count;
}

bool Batcher::decode(std::size_t leased) {
  const std::size_t threads = gauge_.threads(leased);
  if (threads != threads_) {
    llama_set_n_threads(context_.get(), static_cast<int>(threads), static_cast<int>(threads));
    threads_ = threads;
  }
  const auto start = std::chrono::steady_clock::now();
  const Duration processor_start = processor_time();
  int code = 0;
  try {
    code = llama_decode(context_.get(), batch_);
    if (code == 0) llama_synchronize(context_.get());
  } catch (const std::exception&) {
    code = -4;  // Not one of llama.cpp's own: it threw.
  }
  const Duration took = std::chrono::steady_clock::now() - start;
  gauge_.record(threads, took, processor_time() - processor_start);
  stats_.decode_microseconds += static_cast<std::uint64_t>(took / std::chrono::microseconds(1));
  ++stats_.decode_steps;
  if (code != 0) {
    fail_batch(code);
    return false;
  }
  for (const auto& slot : slots_) cache_->compute(slot->sequence, slot->in_batch);
  return true;
}

void Batcher::sample(Slot& slot) {
  if (slot.phase == Slot::Phase::kPrompt) {
    slot.phase = Slot::Phase::kAnswer;
    stats_.prompt_tokens += slot.prompt;
    stats_.cached_tokens += slot.cached;
  }
  const float* logits = llama_get_logits_ith(context_.get(), slot.logits_at);
  HF_ASSERT(logits != nullptr);
  const Result<Sampler::Choice> choice = slot.sampler.choose({logits, model_.vocabulary_size()});
  if (!choice) {
    slot.job.tell(JobFailed{500, choice.error().message, "sampling_failed"});
    slot.phase = Slot::Phase::kFinished;
    return;
  }
  ++slot.generated;
  ++stats_.completion_tokens;
  slot.logprob_sum += choice->logprob;
  slot.token_logprobs.push_back(static_cast<float>(choice->logprob));
  slot.margin_sum += choice->margin;
  if (choice->is_end) return finish(slot, slot.text.finish(), "stop");

  std::string content = slot.text.push(model_.text(choice->token));
  if (slot.text.stopped()) return finish(slot, std::move(content), "stop");
  const bool is_last = slot.prompt + slot.generated >= slot.limit;
  if (is_last) content += slot.text.finish();
  tell_piece(slot, is_last ? std::string() : content, *choice);
  if (is_last) return finish(slot, std::move(content), "length");
  cache_->append(slot.sequence, choice->token);
}

// Keeps the token's log-probability until there is text to send it with.
void Batcher::tell_piece(Slot& slot, std::string content, const Sampler::Choice& choice) {
  if (std::get<wire::ChatRequest>(slot.job.ask).logprobs) {
    wire::TokenLogprob& entry = slot.logprobs.emplace_back();
    entry.token = model_.text(choice.token);
    entry.logprob = choice.logprob;
    for (const auto& [token, logprob] : choice.top) {
      entry.top.emplace_back(model_.text(token), logprob);
    }
  }
  if (content.empty()) return;
  wire::ChatPiece piece;
  piece.content = std::move(content);
  piece.logprobs = std::exchange(slot.logprobs, {});
  slot.job.tell(std::move(piece));
}

void Batcher::finish(Slot& slot, std::string content, const char* reason) {
  const auto count = static_cast<double>(slot.generated);
  wire::ChatPiece piece;
  piece.content = std::move(content);
  piece.logprobs = std::exchange(slot.logprobs, {});
  piece.finish_reason = reason;
  piece.usage = Usage{.prompt = Tokens(static_cast<std::int64_t>(slot.prompt)),
                      .cached = Tokens(static_cast<std::int64_t>(slot.cached)),
                      .completion = Tokens(static_cast<std::int64_t>(slot.generated))};
  piece.signals = Signals{.mean_logprob = slot.logprob_sum / count,
                          .low_logprob = tenth_percentile(slot.token_logprobs),
                          .margin = slot.margin_sum / count};
  slot.job.tell(std::move(piece));
  slot.phase = Slot::Phase::kFinished;
}

// What a failed step left in memory is unknown, so its sequences go entirely.
void Batcher::fail_batch(int code) {
  for (const auto& slot : slots_) {
    if (slot->in_batch == 0) continue;
    slot->job.tell(JobFailed{
        500, fmt::format("The model could not compute this step (llama.cpp says {}).", code),
        "decode_failed"});
    remove_from_memory(slot->sequence);
    cache_->drop(slot->sequence);
    slot->sequence = -1;
    slot->phase = Slot::Phase::kFinished;
  }
}

void Batcher::remove_from_memory(SequenceId id) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), id, -1, -1);
}

void Batcher::forget_finished() {
  for (const auto& slot : slots_) {
    if (slot->phase != Slot::Phase::kFinished || slot->sequence < 0) continue;
    if (model_.can_share()) {
      cache_->retain(slot->sequence);
    } else {
      remove_from_memory(slot->sequence);
      cache_->drop(slot->sequence);
    }
  }
  std::erase_if(slots_, [](const auto& slot) { return slot->phase == Slot::Phase::kFinished; });
}

void Batcher::update_stats() {
  stats_.active = slots_.size();
  stats_.cells_used = cache_->used_cells();
}

}  // namespace hf::engine
