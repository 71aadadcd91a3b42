// The text of a diagnostic.
#include "frontend/job/Diagnostic.h"

#include <charconv>

namespace orrery::job {

std::string Diagnostic::str() const {
  std::string text;
  if (argument > 0)
    text += "argument " + std::to_string(argument) + ": ";
  text += subject;
  if (!value.empty())
    text += (subject.empty() ? "" : " ") + value;
  if (!text.empty())
    text += ": ";
  text += problem;
  if (!nearest.empty())
    text += "; nearest legal choice: " + nearest;
  return text;
}

std::string format(const Diagnostics &diagnostics) {
  std::string text;
  for (const Diagnostic &diagnostic : diagnostics)
    text += diagnostic.str() + "\n";
  return text;
}

std::string shortest(double value) {
  char buffer[64];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

} // namespace orrery::job
