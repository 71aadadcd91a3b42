// Processes by fork and exec; output through a pipe.
#include "test/e2e/Process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace orrery::test {

using Clock = std::chrono::steady_clock;

Process::Process(const std::vector<std::string> &argv) : started(Clock::now()) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    std::perror("pipe2");
    std::abort();
  }
  std::vector<char *> arguments;
  for (const std::string &argument : argv)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    std::perror(arguments[0]);
    _exit(127);
  }
  setpgid(child, child);
  close(ends[1]);
  pipeEnd = ends[0];
}

Process::~Process() {
  if (child > 0) {
    kill(-child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  if (pipeEnd >= 0)
    close(pipeEnd);
}

/// Appends what the pipe holds, after at most `patience` milliseconds. Whether
/// there was something.
bool Process::readSome(std::string &output, int patience) {
  std::array<char, 65536> bytes;
  // poll ignores a negative descriptor and only waits.
  pollfd ready = {pipeEnd, POLLIN, 0};
  if (poll(&ready, 1, patience) <= 0)
    return false;
  ssize_t count = read(pipeEnd, bytes.data(), bytes.size());
  if (count > 0) {
    output.append(bytes.data(), static_cast<size_t>(count));
    return true;
  }
  // An ended pipe is always ready: waiting for it would be a busy loop.
  if (count == 0 || errno != EINTR) {
    close(pipeEnd);
    pipeEnd = -1;
  }
  return false;
}

Outcome Process::wait(std::chrono::seconds limit) {
  Outcome outcome;
  const Clock::time_point end = Clock::now() + limit;
  // Read until the child has ended. The pipe may end before it (a child that
  // closed its output) or never (a stray descendant holds it).
  int status = 0;
  rusage usage = {};
  bool ended = false;
  while (!ended) {
    if (readSome(outcome.output, 50) && Clock::now() <= end)
      continue;
    ended = wait4(child, &status, WNOHANG, &usage) == child;
    if (!ended && Clock::now() > end) {
      outcome.timedOut = true;
      kill(-child, SIGKILL);
      wait4(child, &status, 0, &usage);
      ended = true;
    }
  }
  // What the child wrote right before its end.
  while (readSome(outcome.output, 0) && Clock::now() <= end)
    continue;
  child = -1;
  outcome.seconds =
      std::chrono::duration<double>(Clock::now() - started).count();
  outcome.peakBytes = usage.ru_maxrss * 1024;
  outcome.code =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// The parent of a process, from /proc; 0 when it is gone.
static pid_t parentOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  // The name in parentheses may hold blanks: "12 (a b) S 11 …".
  size_t close = line.rfind(')');
  if (close == std::string::npos)
    return 0;
  std::istringstream rest(line.substr(close + 1));
  std::string state;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

std::vector<pid_t> Process::descendants(const std::string &executable) const {
  std::vector<pid_t> found;
  for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    std::error_code error;
    std::filesystem::path exe =
        pid > 0 ? std::filesystem::read_symlink(entry.path() / "exe", error)
                : std::filesystem::path();
    if (error || exe.filename() != executable)
      continue;
    pid_t above = parentOf(pid);
    if (above == child || (above > 0 && parentOf(above) == child))
      found.push_back(pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Outcome run(const std::vector<std::string> &argv, std::chrono::seconds limit) {
  return Process(argv).wait(limit);
}

std::vector<std::string> words(const std::string &text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;)
    result.push_back(word);
  return result;
}

} // namespace orrery::test
