#include "wire/raw_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace hf::wire {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::size_t skip_blank(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kBlank, at), text.size());
}

// Behind the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

// Behind the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '{' && text[at] != '[')
    return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  for (std::size_t depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return text.size();
}

}  // namespace

Result<RawObject> RawObject::read(std::string_view text) {
  RawObject object;
  std::size_t at = skip_blank(text, 0);
  if (at >= text.size() || text[at] != '{')
    return fail(Code::kInvalidInput, "The body must be a JSON object.");
  object.text_ = text;
  at = skip_blank(text, at + 1);
  while (at < text.size() && text[at] == '"') {
    const std::size_t name_end = skip_string(text, at);
    const std::string_view name = text.substr(at + 1, name_end - at - 2);
    const std::size_t colon = skip_blank(text, name_end);
    const std::size_t begin = skip_blank(text, std::min(colon + 1, text.size()));
    const std::size_t end = skip_value(text, begin);
    if (name.find('\\') != std::string_view::npos) {
      return fail(Code::kInvalidInput, "The name of a field is written with escapes.");
    }
    if (object.find(name) != nullptr) {
      return fail(Code::kInvalidInput, fmt::format("'{}' is given twice.", name));
    }
    object.members_.push_back({.name = name,
                               .whole = text.substr(at, end - at),
                               .value = text.substr(begin, end - begin)});
    at = skip_blank(text, end);
    if (at < text.size() && text[at] == ',') at = skip_blank(text, at + 1);
  }
  return object;
}

RawObject::Member* RawObject::find(std::string_view name) {
  const auto found = std::ranges::find(members_, name, &Member::name);
  return found == members_.end() ? nullptr : &*found;
}

std::string_view RawObject::value(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &Member::name);
  return found == members_.end() ? std::string_view() : found->value;
}

void RawObject::set(std::string_view name, std::string json) {
  Member* const member = find(name);
  if (member == nullptr) {
    added_.emplace_back(name, std::move(json));
    return;
  }
  member->is_set = true;
  member->json = std::move(json);
}

void RawObject::remove(std::string_view name) {
  if (Member* const member = find(name)) member->is_removed = true;
}

RawObject::Halves RawObject::around(std::string_view name) const {
  Halves halves;
  std::string* half = &halves.before;
  bool is_split = false;
  // What is between the members is kept: the gap before each goes or stays with it.
  std::size_t done = 0;
  bool has_any = false;
  const auto offset = [&](std::string_view part) {
    return static_cast<std::size_t>(part.data() - text_.data());
  };
  for (const Member& member : members_) {
    const std::size_t begin = offset(member.whole);
    std::string_view gap = text_.substr(done, begin - done);
    done = begin + member.whole.size();
    if (member.is_removed) {
      // The brace that opens the object is in the first gap.
      if (begin == offset(members_.front().whole)) half->append(gap);
      continue;
    }
    const std::size_t comma = gap.find(',');
    if (!has_any && comma != std::string_view::npos) gap.remove_prefix(comma + 1);
    has_any = true;
    half->append(gap);
    const std::string_view value = member.is_set ? std::string_view(member.json) : member.value;
    half->append(member.whole.substr(0, offset(member.value) - begin));
    if (member.name == name) {
      is_split = true;
      half = &halves.after;
    } else {
      half->append(value);
    }
  }
  HF_ASSERT(is_split);
  for (const auto& [key, json] : added_) *half += fmt::format(",\"{}\":{}", key, json);
  half->append(text_.substr(done));
  return halves;
}

}  // namespace hf::wire
