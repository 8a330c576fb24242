// Lists the members of plain data once, for all that must treat every one of them:
//
//   HF_MEMBERS(CallFirstToken, call);
//
// A list that lacks a member of the type, or has one too many, does not compile, and nor does data
// that holds a type without a list: nothing that is added to a type can be forgotten. The names of
// enumerators come from the compiler.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

namespace hf::wire {

// What is a text, and what a list, whoever made the type.
template <class T>
concept Text = std::convertible_to<T, std::string_view>;
template <class T>
concept List = requires(T list) { list.emplace_back(); };

template <class T>
struct Members;

// In namespace hf::wire; the members in the order of their declaration.
#define HF_MEMBERS(Type, ...)                                \
  template <>                                                \
  struct Members<Type> {                                     \
    static constexpr std::string_view kType = #Type;         \
    static constexpr std::string_view kNames = #__VA_ARGS__; \
    static auto tie(auto& value) {                           \
      auto& [__VA_ARGS__] = value;                           \
      return std::tie(__VA_ARGS__);                          \
    }                                                        \
  }

template <class T>
inline constexpr std::size_t kMemberCount =
    std::tuple_size_v<decltype(Members<T>::tie(std::declval<T&>()))>;

template <class T>
inline constexpr auto kMemberNames = [] {
  std::array<std::string_view, kMemberCount<T>> names{};
  std::string_view rest = Members<T>::kNames;
  for (std::string_view& name : names) {
    const std::size_t comma = rest.find(',');
    name = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 2);
  }
  return names;
}();

// The name of an enumerator without its k; empty if no enumerator has the value.
template <auto kValue>
consteval std::string_view enumerator() {
  const std::string_view text = __PRETTY_FUNCTION__;  // "... [kValue = hf::Tier::kEdge]"
  const std::size_t begin = text.rfind(':') + 1;
  const std::string_view name = text.substr(begin, text.size() - 1 - begin);
  return name.starts_with('k') ? name.substr(1) : std::string_view();
}

// The names of an enumeration that counts up from 0. Empty for an id, which is only a number.
template <class Enum, std::size_t kCount = 0>
consteval auto enumerators() {
  if constexpr (!enumerator<static_cast<Enum>(kCount)>().empty()) {
    return enumerators<Enum, kCount + 1>();
  } else {
    return []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
      return std::array<std::string_view, kCount>{enumerator<static_cast<Enum>(kIndex)>()...};
    }(std::make_index_sequence<kCount>());
  }
}
template <class Enum>
inline constexpr auto kEnumerators = enumerators<Enum>();

}  // namespace hf::wire
