// One thing wrong with a job description, told so that it can be put right.
#ifndef ORRERY_FRONTEND_JOB_DIAGNOSTIC_H
#define ORRERY_FRONTEND_JOB_DIAGNOSTIC_H

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::job {

/// A fault in the user's input. Front ends collect all of them before they
/// give up, so that one run shows everything there is to fix.
struct Diagnostic {
  /// 1-based place among the program's arguments (or line of a file);
  /// 0 when the fault has no single place.
  int argument = 0;
  /// The option as the user spells it, or a JobSpec field path such as
  /// "parallel.tensor" when no front end is involved.
  std::string subject;
  /// The offending value; empty when a value is absent.
  std::string value;
  /// What is wrong, with the limit: lower case, no full stop.
  std::string problem;
  /// The nearest legal choice; empty when there is none to name.
  std::string nearest;

  /// "argument 5: --num-layers 10: not divisible by …; nearest legal
  /// choice: 8".
  std::string str() const;
};

using Diagnostics = std::vector<Diagnostic>;

/// All diagnostics, one a line.
std::string format(const Diagnostics &diagnostics);

/// "1e-05", "0.1", "1600": the shortest text that reads back as `value`.
std::string shortest(double value);

} // namespace orrery::job

#endif // ORRERY_FRONTEND_JOB_DIAGNOSTIC_H
