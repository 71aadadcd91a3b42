// A table of text with aligned columns.
#ifndef ORRERY_TOOLS_ORRERY_PLAN_TABLE_H
#define ORRERY_TOOLS_ORRERY_PLAN_TABLE_H

#include <string>
#include <vector>

namespace orrery {

/// Rows of cells, each column as wide as its widest cell:
///
///   Table table({"kind", ">bytes"});
///   table.add({"weight", "1.5 MiB"});
///
/// prints the header, then the rows, every line indented by four spaces.
/// Columns whose header begins with '>' are aligned to the right; the '>' is
/// not printed. Width is counted in code points.
class Table {
public:
  explicit Table(std::vector<std::string> header);

  /// Requires one cell per column.
  void add(std::vector<std::string> cells);

  bool empty() const { return rows.size() == 1; }

  /// The whole table, "" when it has no row besides the header.
  std::string str() const;

private:
  std::vector<std::vector<std::string>> rows; // the header first
  std::vector<bool> right;
};

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_PLAN_TABLE_H
