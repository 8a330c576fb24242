// Line plots as inline SVG for a page (report.h), whose style sheet gives the colours; nothing in
// it needs a script or a network.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hf::eval {

struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low;  // The interval as a band; empty: none.
  std::vector<double> high;
  std::size_t colour = 0;  // Of kPlotColours.
  bool is_dashed = false;
  bool has_dots = true;
};

inline constexpr std::size_t kPlotColours = 10;

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  bool as_percent = false;    // The y axis.
  bool has_diagonal = false;  // From (0, 0) to (1, 1), and both axes from 0 to 1.
  bool from_zero = true;      // The y axis.
};

[[nodiscard]] std::string svg_of(const Plot& plot);

}  // namespace hf::eval
