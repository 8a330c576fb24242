#include "eval/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/markup.h"

namespace hf::eval {
namespace {

constexpr double kWidth = 560;
constexpr double kHeight = 340;
constexpr double kLeft = 62;
constexpr double kRight = 14;
constexpr double kTop = 34;
constexpr double kBottom = 46;
constexpr double kLegendLine = 17;
constexpr std::size_t kLegendColumns = 3;

// 1, 2 or 5 times a power of ten, so that there are about five steps.
double step_of(double range) {
  const double rough = range / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

struct Axis {
  double low = std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::lowest();
  double step = 1;
  double from = 0;  // Where the ends are drawn.
  double to = 1;

  void take(std::span<const double> values) {
    for (const double value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }

  void round() {
    if (low > high) {
      low = 0;
      high = 1;
    }
    if (high - low < 1e-9) {
      low -= 0.5;
      high += 0.5;
    }
    step = step_of(high - low);
    low = std::floor(low / step + 1e-6) * step;
    high = std::ceil(high / step - 1e-6) * step;
  }

  [[nodiscard]] double at(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot) {
    for (const Series& series : plot.series) {
      x_.take(series.x);
      y_.take(series.y);
      y_.take(series.low);
      y_.take(series.high);
    }
    if (plot.has_diagonal) {
      x_.low = y_.low = 0;
      x_.high = y_.high = 1;
    }
    if (plot.from_zero) y_.low = std::min(y_.low, 0.0);
    x_.round();
    y_.round();
    x_.from = kLeft;
    x_.to = kWidth - kRight;
    y_.from = kHeight - kBottom;
    y_.to = kTop;
  }

  std::string draw() {
    const std::size_t lines = (plot_.series.size() + kLegendColumns - 1) / kLegendColumns;
    const double height = kHeight + kLegendLine * static_cast<double>(lines);
    out_ = fmt::format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n"
        "<text class=\"title\" x=\"{}\" y=\"18\">{}</text>\n",
        kWidth, height, escaped_markup(plot_.title), kLeft, escaped_markup(plot_.title));
    draw_axes();
    for (const Series& series : plot_.series) draw_band(series);
    for (const Series& series : plot_.series) draw_line(series);
    draw_legend();
    return out_ + "</svg>\n";
  }

 private:
  void draw_axes() {
    for (double x = x_.low; x <= x_.high + x_.step / 2; x += x_.step) {
      out_ += fmt::format(
          "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
          "<text class=\"tick\" x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
          x_.at(x), y_.from, y_.to, y_.from + 16, label(x, false));
    }
    for (double y = y_.low; y <= y_.high + y_.step / 2; y += y_.step) {
      out_ += fmt::format(
          "<line class=\"grid\" x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>"
          "<text class=\"tick\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
          y_.at(y), x_.from, x_.to, x_.from - 6, y_.at(y) + 4, label(y, plot_.as_percent));
    }
    if (plot_.has_diagonal) {
      out_ += fmt::format(
          "<line class=\"diagonal\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
          x_.at(0), y_.at(0), x_.at(1), y_.at(1));
    }
    out_ += fmt::format(
        "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n"
        "<text class=\"label\" transform=\"translate(15 {:.1f}) rotate(-90)\" "
        "text-anchor=\"middle\">{}</text>\n",
        (x_.from + x_.to) / 2, y_.from + 36, escaped_markup(plot_.x_label), (y_.from + y_.to) / 2,
        escaped_markup(plot_.y_label));
  }

  static std::string label(double value, bool as_percent) {
    const double shown = (std::abs(value) < 1e-12 ? 0 : value) * (as_percent ? 100 : 1);
    return fmt::format("{:.6g}{}", shown, as_percent ? " %" : "");
  }

  void draw_band(const Series& series) {
    if (series.low.empty()) return;
    std::string points;
    for (std::size_t i = 0; i < series.x.size(); ++i) point(points, series.x[i], series.high[i]);
    for (std::size_t i = series.x.size(); i-- > 0;) point(points, series.x[i], series.low[i]);
    out_ += fmt::format("<polygon class=\"band c{}\" points=\"{}\"/>\n",
                        series.colour % kPlotColours, points);
  }

  void draw_line(const Series& series) {
    std::string points;
    for (std::size_t i = 0; i < series.x.size(); ++i) point(points, series.x[i], series.y[i]);
    const std::size_t colour = series.colour % kPlotColours;
    out_ += fmt::format("<polyline class=\"line c{}{}\" points=\"{}\"/>\n", colour,
                        series.is_dashed ? " dashed" : "", points);
    if (!series.has_dots) return;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      out_ += fmt::format(
          "<circle class=\"dot c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}: {:.4g}, "
          "{:.4g}</title></circle>\n",
          colour, x_.at(series.x[i]), y_.at(series.y[i]), escaped_markup(series.name), series.x[i],
          series.y[i]);
    }
  }

  void point(std::string& points, double x, double y) const {
    points += fmt::format("{:.1f},{:.1f} ", x_.at(x), y_.at(y));
  }

  void draw_legend() {
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      const Series& series = plot_.series[i];
      const std::size_t row = i / kLegendColumns;
      const double x =
          kLeft + static_cast<double>(i % kLegendColumns) * (kWidth - kLeft) / kLegendColumns;
      const double y = kHeight + 4 + kLegendLine * static_cast<double>(row);
      out_ += fmt::format(
          "<line class=\"line c{}{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
          series.colour % kPlotColours, series.is_dashed ? " dashed" : "", x, x + 20, y, y, x + 25,
          y + 4, escaped_markup(series.name));
    }
  }

  const Plot& plot_;
  Axis x_;
  Axis y_;
  std::string out_;
};

}  // namespace

std::string svg_of(const Plot& plot) {
  return Drawing(plot).draw();
}

}  // namespace hf::eval
