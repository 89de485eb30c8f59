#pragma once

#include <array>
#include <string>

namespace ocfsgw::bench {

/// Okabe and Ito's colours, which most colour-blind readers can tell apart.
inline constexpr std::array<const char*, 8> kColours = {"#e69f00", "#56b4e9", "#009e73", "#d4c400",
                                                        "#0072b2", "#d55e00", "#cc79a7", "#888888"};

/// A document with a white ground; `body`: its elements. In pixels.
std::string SvgDocument(double width, double height, const std::string& title, const std::string& body);
/// `anchor`: start, middle or end; of the line at (x, y).
std::string SvgText(double x, double y, const std::string& text, const char* anchor);
/// `style`: attributes.
std::string SvgLine(double x1, double y1, double x2, double y2, const std::string& style);

}  // namespace ocfsgw::bench
