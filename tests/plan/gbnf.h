// Just enough of GBNF to check a grammar without an engine: literals, character classes, groups,
// alternatives, ?, * and {m,n}. Recognises by trying all ways; samples at random.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"

namespace hf {

class Gbnf {
 public:
  explicit Gbnf(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      const std::size_t sign = line.find(" ::= ");
      HF_ASSERT(sign != std::string::npos && !rules_.contains(line.substr(0, sign)));
      std::string_view rest = std::string_view(line).substr(sign + 5);
      rules_[line.substr(0, sign)] = alternatives(rest);
      HF_ASSERT(rest.empty());
      at = end + 1;
    }
  }

  [[nodiscard]] bool accepts(std::string_view text) const {
    return match(*rules_.at("root"), text, [](std::string_view rest) { return rest.empty(); });
  }

  [[nodiscard]] std::string sample(std::uint64_t seed) const {
    Rng rng(seed);
    std::string out;
    sample(*rules_.at("root"), rng, out);
    return out;
  }

 private:
  struct Node {
    enum class Kind { kLiteral, kClass, kRule, kSequence, kChoice } kind = Kind::kSequence;
    std::string text;          // Of a literal, or a rule's name.
    bool is_member[256] = {};  // Of a class.
    std::vector<std::unique_ptr<Node>> parts;
    std::size_t least = 1;
    std::size_t most = 1;
  };
  using Rest = std::function<bool(std::string_view)>;

  static void skip_spaces(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
  }

  static char character(std::string_view& text) {
    char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') return c;
    c = text.front();
    text.remove_prefix(1);
    if (c == 'n') return '\n';
    if (c != 'x') return c;
    const int value = std::stoi(std::string(text.substr(0, 2)), nullptr, 16);
    text.remove_prefix(2);
    return static_cast<char>(value);
  }

  static std::unique_ptr<Node> alternatives(std::string_view& text) {
    auto choice = std::make_unique<Node>();
    choice->kind = Node::Kind::kChoice;
    while (true) {
      choice->parts.push_back(sequence(text));
      if (!text.starts_with('|')) return choice;
      text.remove_prefix(1);
    }
  }

  static std::unique_ptr<Node> sequence(std::string_view& text) {
    auto all = std::make_unique<Node>();
    for (skip_spaces(text); !text.empty() && text[0] != '|' && text[0] != ')'; skip_spaces(text)) {
      all->parts.push_back(item(text));
    }
    return all;
  }

  static std::unique_ptr<Node> item(std::string_view& text) {
    auto node = std::make_unique<Node>();
    if (text.front() == '"') {
      node->kind = Node::Kind::kLiteral;
      text.remove_prefix(1);
      while (text.front() != '"') node->text += character(text);
      text.remove_prefix(1);
    } else if (text.front() == '[') {
      node->kind = Node::Kind::kClass;
      character_class(text, *node);
    } else if (text.front() == '(') {
      text.remove_prefix(1);
      node = alternatives(text);
      HF_ASSERT(text.starts_with(')'));
      text.remove_prefix(1);
    } else {
      node->kind = Node::Kind::kRule;
      while (!text.empty() &&
             (std::isalnum(static_cast<unsigned char>(text[0])) || text[0] == '-')) {
        node->text += text.front();
        text.remove_prefix(1);
      }
      HF_ASSERT(!node->text.empty());
    }
    repetition(text, *node);
    return node;
  }

  static void character_class(std::string_view& text, Node& node) {
    text.remove_prefix(1);
    const bool is_negated = text.front() == '^';
    if (is_negated) text.remove_prefix(1);
    while (text.front() != ']') {
      const auto first = static_cast<unsigned char>(character(text));
      auto last = first;
      if (text.front() == '-') {
        text.remove_prefix(1);
        last = static_cast<unsigned char>(character(text));
      }
      for (unsigned c = first; c <= last; ++c) node.is_member[c] = true;
    }
    text.remove_prefix(1);
    if (is_negated)
      std::transform(node.is_member, node.is_member + 256, node.is_member, std::logical_not());
  }

  static void repetition(std::string_view& text, Node& node) {
    if (text.starts_with('?')) {
      node.least = 0;
      text.remove_prefix(1);
    } else if (text.starts_with('{')) {
      const std::size_t comma = text.find(',');
      const std::size_t end = text.find('}');
      node.least = std::stoul(std::string(text.substr(1, comma - 1)));
      node.most = std::stoul(std::string(text.substr(comma + 1, end - comma - 1)));
      text.remove_prefix(end + 1);
    }
  }

  [[nodiscard]] bool match(const Node& node, std::string_view text, const Rest& rest) const {
    return repeat(node, 0, text, rest);
  }

  [[nodiscard]] bool repeat(const Node& node, std::size_t done, std::string_view text,
                            const Rest& rest) const {
    if (done < node.most &&
        once(
            node, text,
            [&](std::string_view left) { return repeat(node, done + 1, left, rest); })) {
      return true;
    }
    return done >= node.least && rest(text);
  }

  [[nodiscard]] bool once(const Node& node, std::string_view text, const Rest& rest) const {
    switch (node.kind) {
      case Node::Kind::kLiteral:
        return text.starts_with(node.text) && rest(text.substr(node.text.size()));
      case Node::Kind::kClass:
        return !text.empty() && node.is_member[static_cast<unsigned char>(text[0])] &&
               rest(text.substr(1));
      case Node::Kind::kRule:
        return match(*rules_.at(node.text), text, rest);
      case Node::Kind::kSequence:
        return parts_from(node, 0, text, rest);
      case Node::Kind::kChoice:
        return std::any_of(node.parts.begin(), node.parts.end(),
                           [&](const auto& part) { return match(*part, text, rest); });
    }
    return false;
  }

  [[nodiscard]] bool parts_from(const Node& node, std::size_t at, std::string_view text,
                                const Rest& rest) const {
    if (at == node.parts.size()) return rest(text);
    return match(*node.parts[at], text,
                 [&](std::string_view left) { return parts_from(node, at + 1, left, rest); });
  }

  void sample(const Node& node, Rng& rng, std::string& out) const {
    const std::size_t times = node.least + rng.below(node.most - node.least + 1);
    for (std::size_t i = 0; i < times; ++i) {
      switch (node.kind) {
        case Node::Kind::kLiteral:
          out += node.text;
          break;
        case Node::Kind::kRule:
          sample(*rules_.at(node.text), rng, out);
          break;
        case Node::Kind::kSequence:
          for (const auto& part : node.parts) sample(*part, rng, out);
          break;
        case Node::Kind::kChoice:
          sample(*node.parts[rng.below(node.parts.size())], rng, out);
          break;
        case Node::Kind::kClass: {
          std::size_t c = 0;
          do {
            c = 32 + rng.below(95);  // Printable ASCII.
          } while (!node.is_member[c]);
          out += static_cast<char>(c);
        }
      }
    }
  }

  std::map<std::string, std::unique_ptr<Node>> rules_;
};

}  // namespace hf
