// Plain data as JSON and back to the bit, whatever its members are (members.h).
//
// Quantities and ids are integers. A double is the shortest text that reads back as the same value,
// in quotes because JSON readers round. An absent optional is null, a variant an object with the
// name of the type as its key. Reading is strict: every member, no other, each in its range. For
// what this program writes; what others send has readers of its own.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "wire/json.h"
#include "wire/members.h"

namespace hf::wire {

template <class T, template <class...> class Template>
inline constexpr bool kIsA = false;
template <template <class...> class Template, class... Arguments>
inline constexpr bool kIsA<Template<Arguments...>, Template> = true;

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool>;
template <class T>
concept Counted = std::same_as<T, Duration> || kIsA<T, Quantity>;

void put_exact(std::string& out, double number);
void put_exact(std::string& out, std::string_view text);

// Appends `value`.
template <class T>
void put(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (WholeNumber<T>) {
    const fmt::format_int digits(value);
    out.append(digits.data(), digits.size());
  } else if constexpr (std::same_as<T, double> || Text<T>) {
    put_exact(out, value);
  } else if constexpr (Counted<T>) {
    put(out, value.count());
  } else if constexpr (std::same_as<T, TimePoint>) {
    put(out, value.time_since_epoch());
  } else if constexpr (std::is_enum_v<T>) {
    const auto index = std::to_underlying(value);
    if constexpr (kEnumerators<T>.empty()) {
      put(out, index);
    } else {
      (out += '"').append(kEnumerators<T>.at(static_cast<std::size_t>(index))) += '"';
    }
  } else if constexpr (kIsA<T, std::optional>) {
    if (value) {
      put(out, *value);
    } else {
      out += "null";
    }
  } else if constexpr (List<T>) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      put(out, value[i]);
    }
    out += ']';
  } else if constexpr (kIsA<T, std::variant>) {
    const auto put_held = [&]<class Held>(const Held& held) {
      (out += "{\"").append(Members<Held>::kType) += "\":";
      put(out, held);
      out += '}';
    };
    std::visit(put_held, value);
  } else {
    std::size_t i = 0;
    const auto put_member = [&](const auto& member) {
      (out += i == 0 ? "{\"" : ",\"").append(kMemberNames<T>[i]) += "\":";
      ++i;
      put(out, member);
    };
    std::apply([&](const auto&... members) { (put_member(members), ...); }, Members<T>::tie(value));
    out += '}';
  }
}

// A message begins with the place: ".CallDone.usage.prompt must be a whole number that fits".
Result<void> must_be(std::string_view what);
Result<void> under(std::string_view name, Result<void> result);
Result<void> get_exact(const json::value& in, bool& out);
Result<void> get_exact(const json::value& in, double& out);
Result<void> get_exact(const json::value& in, std::string& out);

template <class T>
Result<void> get(const json::value& in, T& out);

template <class... Held>
Result<void> get_variant(const json::value& in, std::variant<Held...>& out) {
  const json::object* object = in.if_object();
  if (object == nullptr || object->size() != 1) return must_be("an object with one member");
  const std::string_view name = object->begin()->key();
  Result<void> result = fail(Code::kInvalidInput, fmt::format(".{} is not known here", name));
  const auto get_if_named = [&]<class Each>(Each each) {
    if (Members<Each>::kType != name) return;
    result = under(name, get(object->begin()->value(), each));
    out = std::move(each);
  };
  (get_if_named(Held{}), ...);
  return result;
}

template <class T>
Result<void> get_members(const json::value& in, T& out) {
  const json::object* object = in.if_object();
  if (object == nullptr) return must_be("an object");
  for (const auto& [name, value] : *object) {
    if (std::ranges::find(kMemberNames<T>, std::string_view(name)) == kMemberNames<T>.end())
      return fail(Code::kInvalidInput,
                  fmt::format(".{} is not known here", std::string_view(name)));
  }
  Result<void> result;
  std::size_t i = 0;
  const auto get_member = [&](auto& member) {
    const std::string_view name = kMemberNames<T>[i++];
    const json::value* value = find(*object, name);
    result = under(name, value == nullptr ? must_be("given") : get(*value, member));
    return result.has_value();
  };
  std::apply([&](auto&... members) { (void)(get_member(members) && ...); }, Members<T>::tie(out));
  return result;
}

// Reads what `put` wrote. After a failure `out` holds anything.
template <class T>
Result<void> get(const json::value& in, T& out) {
  if constexpr (std::same_as<T, bool> || std::same_as<T, double> || std::same_as<T, std::string>) {
    return get_exact(in, out);
  } else if constexpr (Text<T>) {
    std::string text;
    HF_CHECK(get_exact(in, text));
    out = T(text);
    return out.view() == text ? Result<void>() : must_be("a shorter text");
  } else if constexpr (WholeNumber<T>) {
    const auto take = [&](auto number) {
      if (!std::in_range<T>(number)) return must_be("a whole number that fits");
      out = static_cast<T>(number);
      return Result<void>();
    };
    if (in.is_int64()) return take(in.get_int64());
    return in.is_uint64() ? take(in.get_uint64()) : must_be("a whole number that fits");
  } else if constexpr (Counted<T>) {
    std::int64_t count = 0;
    HF_CHECK(get(in, count));
    out = T(count);
    return {};
  } else if constexpr (std::same_as<T, TimePoint>) {
    Duration since{};
    HF_CHECK(get(in, since));
    out = TimePoint(since);
    return {};
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> index{};
    if constexpr (kEnumerators<T>.empty()) {
      HF_CHECK(get(in, index));
    } else {
      std::string name;
      HF_CHECK(get(in, name));
      const auto found = std::ranges::find(kEnumerators<T>, name);
      if (found == kEnumerators<T>.end()) return must_be("a name that is known here");
      index = static_cast<std::underlying_type_t<T>>(found - kEnumerators<T>.begin());
    }
    out = static_cast<T>(index);
    return {};
  } else if constexpr (kIsA<T, std::optional>) {
    out.reset();
    return in.is_null() ? Result<void>() : get(in, out.emplace());
  } else if constexpr (List<T>) {
    const json::array* array = in.if_array();
    if (array == nullptr) return must_be("a list");
    out.clear();
    for (const json::value& each : *array) HF_CHECK(get(each, out.emplace_back()));
    return {};
  } else if constexpr (kIsA<T, std::variant>) {
    return get_variant(in, out);
  } else {
    return get_members(in, out);
  }
}

}  // namespace hf::wire
