#include "plan/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/markup.h"

namespace hf {
namespace {

constexpr std::size_t kColumnsPerLine = 30;  // Of text in a box.
constexpr std::size_t kLinesMax = 6;
constexpr int kBoxWidth = 236;
constexpr int kLineHeight = 17;
constexpr int kGapX = 70;
constexpr int kGapY = 22;
constexpr int kMargin = 20;

struct Look {
  std::string_view name;
  std::string_view fill;
  std::string_view line;
};

Look look_of(Role role) {
  switch (role) {
    case Role::kExplain:
      return {"explain", "#fdf3d8", "#b7862b"};
    case Role::kAnalyze:
      return {"analyze", "#e3eefb", "#3f74b5"};
    case Role::kGenerate:
      return {"generate", "#e0f3e4", "#3c8a4e"};
  }
  return {"", "", ""};
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

bool is_pruned(const PlanEnd& end, SubtaskId id) {
  return std::find(end.pruned.begin(), end.pruned.end(), id) != end.pruned.end();
}

std::string inputs_of(std::span<const PlannedStep> steps, const PlannedStep& step) {
  std::string list;
  for (const SubtaskId input : step.subtask.relies_on) {
    list += (list.empty() ? "" : ",") + steps[index_of(input)].label;
  }
  return list;
}

// Per step, the length of the longest chain before it.
std::vector<std::size_t> depths(std::span<const PlannedStep> steps) {
  std::vector<std::size_t> depth(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const SubtaskId input : steps[i].subtask.relies_on) {
      depth[i] = std::max(depth[i], depth[index_of(input)] + 1);
    }
  }
  return depth;
}

// Words on lines of at most kColumnsPerLine; a longer word is cut, a longer text ends in dots.
std::vector<std::string> wrapped(std::string_view text) {
  std::vector<std::string> lines(1);
  std::size_t used = 0;
  while (!text.empty()) {
    std::size_t size = std::min(text.find(' '), text.size());
    for (std::size_t i = 0, count = 0; i < size; ++i) {
      if (!is_continuation(text[i]) && ++count > kColumnsPerLine) size = i;
    }
    const std::string_view word = text.substr(0, size);
    if (used > 0 && used + 1 + columns(word) > kColumnsPerLine) {
      if (lines.size() == kLinesMax) {
        lines.back() += " …";
        return lines;
      }
      lines.emplace_back();
      used = 0;
    }
    if (used > 0 && !word.empty()) lines.back() += ' ';
    used += columns(word) + (used > 0 && !word.empty() ? 1 : 0);
    lines.back() += word;
    text.remove_prefix(size);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  return lines;
}

std::string escaped_dot(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

struct Box {
  int x = 0;
  int y = 0;
  int height = 0;
  std::vector<std::string> lines;
};

struct Drawing {
  std::vector<Box> boxes;
  int width = 0;
  int height = 0;
};

Drawing place(std::span<const PlannedStep> steps) {
  Drawing drawing;
  const std::vector<std::size_t> depth = depths(steps);
  std::vector<int> bottoms(steps.size(), kMargin);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Box box;
    box.lines = wrapped(steps[i].task);
    box.height = kLineHeight * (static_cast<int>(box.lines.size()) + 1) + 18;
    box.x = kMargin + static_cast<int>(depth[i]) * (kBoxWidth + kGapX);
    box.y = bottoms[depth[i]];
    bottoms[depth[i]] += box.height + kGapY;
    drawing.width = std::max(drawing.width, box.x + kBoxWidth + kMargin);
    drawing.boxes.push_back(std::move(box));
  }
  for (const int bottom : bottoms) {
    drawing.height = std::max(drawing.height, bottom - kGapY + kMargin);
  }
  // Each column in the middle of the height.
  for (std::size_t i = 0; i < steps.size(); ++i) {
    drawing.boxes[i].y += (drawing.height - (bottoms[depth[i]] - kGapY + kMargin)) / 2;
  }
  return drawing;
}

std::string edge_path(const Box& from, const Box& to) {
  const int x1 = from.x + kBoxWidth;
  const int y1 = from.y + from.height / 2;
  const int y2 = to.y + to.height / 2;
  const int middle = (x1 + to.x) / 2;
  return fmt::format(
      "<path d=\"M{0} {1} C{2} {1} {2} {3} {4} {3}\" fill=\"none\" stroke=\"#888\" "
      "marker-end=\"url(#tip)\"/>\n",
      x1, y1, middle, y2, to.x - 2);
}

std::string box_markup(const Box& box, const PlannedStep& step, bool is_faint, bool is_sink) {
  const Look look = look_of(step.subtask.role);
  std::string out = fmt::format(
      "<g{}><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" stroke=\"{}\" "
      "stroke-width=\"{}\"{}/>\n",
      is_faint ? " opacity=\"0.45\"" : "", box.x, box.y, kBoxWidth, box.height, look.fill,
      look.line, is_sink ? 2.5 : 1.2, is_faint ? " stroke-dasharray=\"5 4\"" : "");
  out += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\" font-weight=\"bold\">{} {}{}</text>\n",
                     box.x + 12, box.y + 21, look.line, escaped_markup(step.label), look.name,
                     is_faint ? " (pruned)" : "");
  for (std::size_t i = 0; i < box.lines.size(); ++i) {
    out += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", box.x + 12,
                       box.y + 21 + kLineHeight * (static_cast<int>(i) + 1),
                       escaped_markup(box.lines[i]));
  }
  return out + "</g>\n";
}

}  // namespace

std::string render_text(std::span<const PlannedStep> steps, const PlanEnd& end) {
  std::size_t label_width = 1;
  std::size_t inputs_width = 0;
  for (const PlannedStep& step : steps) {
    label_width = std::max(label_width, columns(step.label));
    inputs_width = std::max(inputs_width, columns(inputs_of(steps, step)));
  }
  std::string out;
  for (const PlannedStep& step : steps) {
    const std::string inputs = inputs_of(steps, step);
    out += fmt::format("{}  {:<8}  {} {}  {}{}\n", padded(step.label, label_width),
                       look_of(step.subtask.role).name, inputs.empty() ? "  " : "<-",
                       padded(inputs, inputs_width), step.task,
                       is_pruned(end, step.id) ? "  (pruned)" : "");
  }
  const std::vector<std::size_t> depth = depths(steps);
  const std::size_t levels = depth.empty() ? 0 : *std::max_element(depth.begin(), depth.end()) + 1;
  out += fmt::format("{} step{}, longest chain {}", steps.size(), steps.size() == 1 ? "" : "s",
                     levels);
  if (end.sink) out += fmt::format(", answer from step {}", steps[index_of(*end.sink)].label);
  return out + '\n';
}

std::string render_dot(std::span<const PlannedStep> steps, const PlanEnd& end) {
  std::string out =
      "digraph plan {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", "
      "fontname=\"sans-serif\", fontsize=11];\n";
  for (const PlannedStep& step : steps) {
    const Look look = look_of(step.subtask.role);
    std::string label = fmt::format("{} {}", escaped_dot(step.label), look.name);
    for (const std::string& line : wrapped(step.task)) label += "\\n" + escaped_dot(line);
    out += fmt::format("  s{} [label=\"{}\", fillcolor=\"{}\", color=\"{}\"{}{}];\n",
                       index_of(step.id), label, look.fill, look.line,
                       end.sink == step.id ? ", penwidth=2.5" : "",
                       is_pruned(end, step.id) ? ", style=\"rounded,dashed\"" : "");
  }
  for (const PlannedStep& step : steps) {
    for (const SubtaskId input : step.subtask.relies_on) {
      out += fmt::format("  s{} -> s{};\n", index_of(input), index_of(step.id));
    }
  }
  return out + "}\n";
}

std::string render_svg(std::span<const PlannedStep> steps, const PlanEnd& end) {
  const Drawing drawing = place(steps);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
      "<title>Plan of {2} steps</title>\n"
      "<defs><marker id=\"tip\" markerWidth=\"9\" markerHeight=\"8\" refX=\"7\" refY=\"4\" "
      "orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#888\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      std::max(drawing.width, 2 * kMargin), std::max(drawing.height, 2 * kMargin), steps.size());
  for (const PlannedStep& step : steps) {
    for (const SubtaskId input : step.subtask.relies_on) {
      out += edge_path(drawing.boxes[index_of(input)], drawing.boxes[index_of(step.id)]);
    }
  }
  for (const PlannedStep& step : steps) {
    out += box_markup(drawing.boxes[index_of(step.id)], step, is_pruned(end, step.id),
                      end.sink == step.id);
  }
  return out + "</svg>\n";
}

}  // namespace hf
