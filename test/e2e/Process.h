// Running a command from a test: its output, its end, its time.
#ifndef ORRERY_TEST_E2E_PROCESS_H
#define ORRERY_TEST_E2E_PROCESS_H

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::test {

/// How a command ended.
struct Outcome {
  int code = -1;         ///< exit code; 128 + signal when one ended it
  bool timedOut = false; ///< killed because it ran past its limit
  double seconds = 0;
  int64_t peakBytes = 0; ///< largest resident size of any process of it
  std::string output;    ///< standard output and error, interleaved
};

/// A command that runs in a process group of its own, without standard input.
/// Everything it started is killed when this goes away.
class Process {
public:
  /// `argv[0]` is looked up in PATH.
  explicit Process(const std::vector<std::string> &argv);
  ~Process();
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;

  pid_t pid() const { return child; }

  /// Waits for the end, at most `limit`; then kills the group.
  Outcome wait(std::chrono::seconds limit);

  /// Process ids of the command's children and their children whose
  /// executable has this file name.
  std::vector<pid_t> descendants(const std::string &executable) const;

private:
  bool readSome(std::string &output, int patience);

  pid_t child = -1;
  int pipeEnd = -1;
  std::chrono::steady_clock::time_point started;
};

Outcome run(const std::vector<std::string> &argv,
            std::chrono::seconds limit = std::chrono::seconds(120));

/// `text` cut at blanks, for writing command lines.
std::vector<std::string> words(const std::string &text);

} // namespace orrery::test

#endif // ORRERY_TEST_E2E_PROCESS_H
