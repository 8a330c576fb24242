// A request as the server of this program gets it: OpenAI's, and the extension object `hybridflow`
// in it. docs/server.md lists every field.
//
// Reads any bytes; whether a model or an amount is allowed is not judged here. Thread safety: none
// needed, there is no state.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "wire/chat.h"
#include "wire/raw_object.h"
#include "wire/request_extension.h"

namespace hf::wire {

struct HybridRequest {
  ChatRequest chat;  // Of a request that is passed on: model, stream, include_usage, max_tokens.
  RequestExtension extension;
  // What a plan cannot serve, so that the request is passed on as it is: "tools"; empty: nothing.
  std::string passed_on_for;
  std::string question;      // The text of the user's last message, of one that is passed on.
  std::uint32_t images = 0;  // Parts that are no text.
};

// Fields of OpenAI's that this program does not know are ignored. Those of a wrong type or out of
// range, one that is given twice, and unknown ones of the extension are faults; of a request that
// is passed on only those that this program itself goes by. `is_passed_on`: whether requests for a
// model always are.
using IsPassedOn = std::function<bool(std::string_view model)>;
std::expected<HybridRequest, RequestFault> read_hybrid_request(std::string_view body,
                                                               const IsPassedOn& is_passed_on,
                                                               const HeaderLines& headers = {});

// The same for one of embeddings: model and extension only.
std::expected<HybridRequest, RequestFault> read_embeddings_request(std::string_view body,
                                                                   const HeaderLines& headers = {});

// The body of a request that is passed on, around the name of its model and without the extension;
// apart from that as it came. `asks_for_usage`: so that the end of a stream tells it. REQUIRES:
// `body` was read by one of the above.
RawObject::Halves passed_on_body(std::string_view body, bool asks_for_usage);

}  // namespace hf::wire
