#include "net/inflater.h"

#include <zlib.h>

#include "base/assert.h"
#include "net/call_watch.h"

namespace hf::net {
namespace {

constexpr int kWindow = MAX_WBITS;
constexpr int kGzip = 16;  // Added to the window's size, in zlib's way of saying it.

bool is_deflate(std::string_view encoding) {
  return is_same_name(encoding, "deflate");
}

}  // namespace

bool Inflater::knows(std::string_view encoding) {
  return is_deflate(encoding) || is_same_name(encoding, "gzip") || is_same_name(encoding, "x-gzip");
}

Inflater::Inflater(std::string_view encoding)
    : stream_(std::make_unique<z_stream_s>()), is_raw_tried_(!is_deflate(encoding)) {
  HF_ASSERT(knows(encoding));
  begin(is_deflate(encoding) ? kWindow : kWindow + kGzip);
}

Inflater::~Inflater() {
  inflateEnd(stream_.get());
}

void Inflater::begin(int window) {
  *stream_ = {};
  is_broken_ = inflateInit2(stream_.get(), window) != Z_OK;
}

void Inflater::set_input(std::string_view bytes) {
  input_ = bytes;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
}

// Decodes into `to`; 0 when all input is used up.
std::size_t Inflater::next(char* to, std::size_t size) {
  if (is_over_ || is_broken_) return 0;
  stream_->next_out = reinterpret_cast<Bytef*>(to);
  stream_->avail_out = static_cast<uInt>(size);
  int code = inflate(stream_.get(), Z_NO_FLUSH);
  if (code == Z_DATA_ERROR && try_without_frame()) code = inflate(stream_.get(), Z_NO_FLUSH);
  is_over_ = code == Z_STREAM_END;
  is_broken_ = !is_over_ && code != Z_OK && code != Z_BUF_ERROR;
  return size - stream_->avail_out;
}

// Only the first two bytes can show that there is no frame. REQUIRES: nothing was decoded if so.
bool Inflater::try_without_frame() {
  if (is_raw_tried_ || stream_->total_out > 0 || stream_->total_in > 2) return false;
  is_raw_tried_ = true;
  Bytef* const to = stream_->next_out;
  const uInt size = stream_->avail_out;
  inflateEnd(stream_.get());
  begin(-kWindow);
  set_input(input_);
  stream_->next_out = to;
  stream_->avail_out = size;
  return !is_broken_;
}

}  // namespace hf::net
