#include "engine/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

namespace hf::engine {
namespace {

// llama.cpp says why something failed only in its log, so the last complaint is kept.
class LastComplaint {
 public:
  static LastComplaint& instance() {
    static LastComplaint complaint;
    return complaint;
  }

  std::string take() {
    const std::lock_guard lock(mutex_);
    std::string text = std::exchange(text_, {});
    while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
    return text.empty() ? "llama.cpp gives no reason" : text;
  }

 private:
  LastComplaint() {
    llama_log_set(
        [](ggml_log_level level, const char* text, void* self) {
          if (level == GGML_LOG_LEVEL_ERROR) static_cast<LastComplaint*>(self)->keep(text);
        },
        this);
    llama_backend_init();
  }

  void keep(const char* text) {
    const std::lock_guard lock(mutex_);
    if (text_.empty()) text_ = text;  // The first one is the cause, the rest are consequences.
  }

  std::mutex mutex_;
  std::string text_;
};

// Private-use characters around a number: no template and no role has them.
std::string stand_in(std::size_t message) {
  return fmt::format("\xEE\x80\x80{}\xEE\x80\x81", message);
}

std::string apply_template(const std::string& name, std::span<const llama_chat_message> messages,
                           std::size_t expected) {
  std::string text(expected, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t length =
        llama_chat_apply_template(name.c_str(), messages.data(), messages.size(), true, text.data(),
                                  static_cast<std::int32_t>(text.size()));
    if (length < 0) return {};
    const bool was_enough = static_cast<std::size_t>(length) <= text.size();
    text.resize(static_cast<std::size_t>(length));
    if (was_enough) return text;
  }
  return {};
}

}  // namespace

Result<void> check_model_file(const std::string& path) {
  LastComplaint::instance();
  if (std::FILE* file = std::fopen(path.c_str(), "rb"); file == nullptr) {
    return fail(Code::kInvalidInput,
                fmt::format("The model file '{}' cannot be read: {}.", path, std::strerror(errno)));
  } else {
    std::fclose(file);
  }
  gguf_context* header = nullptr;
  try {
    header = gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr});
  } catch (const std::exception&) {
    header = nullptr;  // Said below.
  }
  if (header == nullptr) {
    return fail(
        Code::kInvalidInput,
        fmt::format("The model file '{}' is damaged or not a GGUF file ({}); fetch it again.", path,
                    LastComplaint::instance().take()));
  }
  gguf_free(header);
  return {};
}

Result<std::unique_ptr<Model>> Model::load(const std::string& path, const std::atomic<bool>& stop) {
  HF_CHECK(check_model_file(path));
  llama_model_params params = llama_model_default_params();
  params.progress_callback = [](float, void* flag) {
    return !static_cast<const std::atomic<bool>*>(flag)->load();
  };
  params.progress_callback_user_data = const_cast<std::atomic<bool>*>(&stop);
  llama_model_ptr model;
  try {
    model.reset(llama_model_load_from_file(path.c_str(), params));
  } catch (const std::exception& e) {
    return fail(Code::kInvalidInput,
                fmt::format("The model file '{}' cannot be loaded: {}.", path, e.what()));
  }
  if (stop.load()) return fail(Code::kCancelled, "Loading was stopped.");
  if (model == nullptr) {
    return fail(Code::kInvalidInput,
                fmt::format("The model file '{}' cannot be loaded ({}); it may be cut short: fetch "
                            "it again.",
                            path, LastComplaint::instance().take()));
  }
  return std::unique_ptr<Model>(new Model(std::move(model)));
}

Model::Model(llama_model_ptr model)
    : model_(std::move(model)), vocabulary_(llama_model_get_vocab(model_.get())) {
  const char* chosen = llama_model_chat_template(model_.get(), nullptr);
  const llama_chat_message probe{"user", "x"};
  if (chosen != nullptr && !apply_template(chosen, {&probe, 1}, 256).empty()) {
    template_ = chosen;
  } else {
    template_ = "chatml";
  }
}

std::vector<Token> Model::tokenize(std::string_view text) const {
  return tokenize(text, true, Marks::kText);
}

std::vector<Token> Model::tokenize(std::string_view text, bool is_start, Marks marks) const {
  std::vector<Token> tokens(text.size() + 8);  // A token is at least a byte, save a few marks.
  const auto run = [&] {
    return llama_tokenize(vocabulary_, text.data(), static_cast<std::int32_t>(text.size()),
                          tokens.data(), static_cast<std::int32_t>(tokens.size()), is_start,
                          marks == Marks::kMeant);
  };
  std::int32_t count = run();
  if (count < 0) {
    tokens.resize(static_cast<std::size_t>(-count));
    count = run();
  }
  tokens.resize(static_cast<std::size_t>(std::max(count, 0)));
  return tokens;
}

Result<std::vector<Token>> Model::prompt(std::span<const ChatMessage> messages) const {
  // The template is filled with stand-ins, so that its control marks can be told from the same
  // letters in a message: those are text, whoever wrote them.
  std::vector<std::string> stand_ins;
  std::vector<llama_chat_message> raw;
  std::size_t bytes = 256;
  for (std::size_t i = 0; i < messages.size(); ++i) stand_ins.push_back(stand_in(i));
  for (std::size_t i = 0; i < messages.size(); ++i) {
    raw.push_back({messages[i].role.c_str(), stand_ins[i].c_str()});
    bytes += messages[i].role.size() + stand_ins[i].size() + 64;
  }
  try {
    const std::string text = apply_template(template_, raw, bytes);
    std::vector<Token> tokens;
    const auto add = [&](std::string_view part, Marks marks) {
      if (part.empty()) return;
      const std::vector<Token> more = tokenize(part, tokens.empty(), marks);
      tokens.insert(tokens.end(), more.begin(), more.end());
    };
    std::string_view rest = text;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::size_t at = rest.find(stand_ins[i]);
      if (at == std::string_view::npos) continue;  // A template may leave a message out.
      add(rest.substr(0, at), Marks::kMeant);
      add(messages[i].content, Marks::kText);
      rest.remove_prefix(at + stand_ins[i].size());
    }
    add(rest, Marks::kMeant);
    if (tokens.empty()) {
      return fail(Code::kInvalidInput,
                  "The model's chat template gives no prompt for these messages.");
    }
    return tokens;
  } catch (const std::exception& e) {
    return fail(Code::kInvalidInput, fmt::format("The prompt cannot be built: {}.", e.what()));
  }
}

std::string Model::text(Token token) const {
  std::string text(32, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t length = llama_token_to_piece(
        vocabulary_, token, text.data(), static_cast<std::int32_t>(text.size()), 0, false);
    text.resize(static_cast<std::size_t>(length < 0 ? -length : length));
    if (length >= 0) return text;
  }
  return {};
}

bool Model::is_end(Token token) const {
  return llama_vocab_is_eog(vocabulary_, token);
}

std::size_t Model::vocabulary_size() const {
  return static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary_));
}

std::uint32_t Model::training_context() const {
  return static_cast<std::uint32_t>(std::max(llama_model_n_ctx_train(model_.get()), 1));
}

std::size_t Model::embedding_size() const {
  return static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
}

bool Model::can_chat() const {
  return llama_model_has_decoder(model_.get()) &&
         llama_vocab_type(vocabulary_) != LLAMA_VOCAB_TYPE_WPM;
}

bool Model::can_share() const {
  return !llama_model_is_recurrent(model_.get()) && !llama_model_is_hybrid(model_.get());
}

}  // namespace hf::engine
