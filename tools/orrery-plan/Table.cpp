// Measuring and printing the cells of a table.
#include "tools/orrery-plan/Table.h"

#include <algorithm>
#include <cassert>

using namespace orrery;

/// Code points of UTF-8 text: every byte that does not continue one.
static size_t widthOf(const std::string &text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(),
                    [](unsigned char byte) { return (byte & 0xC0) != 0x80; }));
}

Table::Table(std::vector<std::string> header) {
  for (std::string &cell : header) {
    right.push_back(!cell.empty() && cell.front() == '>');
    if (right.back())
      cell.erase(0, 1);
  }
  rows.push_back(std::move(header));
}

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == right.size() && "one cell per column");
  rows.push_back(std::move(cells));
}

std::string Table::str() const {
  if (empty())
    return "";
  std::vector<size_t> widths(right.size(), 0);
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], widthOf(row[i]));
  std::string text;
  for (const auto &row : rows) {
    std::string line = "    ";
    for (size_t i = 0; i < row.size(); ++i) {
      std::string gap(widths[i] - widthOf(row[i]), ' ');
      line += right[i] ? gap + row[i] : row[i] + gap;
      line += i + 1 < row.size() ? "  " : "";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}
