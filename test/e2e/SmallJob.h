// The small GPT of the end-to-end tests, compiled and run in any layout.
#ifndef ORRERY_TEST_E2E_SMALLJOB_H
#define ORRERY_TEST_E2E_SMALLJOB_H

#include "test/e2e/Metrics.h"
#include "test/e2e/Process.h"

#include <ostream>
#include <string>
#include <vector>

namespace orrery::test {

/// L=4 h=64 n=4 s=64, dropout 0.1, global batch 8, 30 steps, float32.
struct Layout {
  std::string name;
  int tp = 1, pp = 1, dp = 1;
  bool sequenceParallel = false;
  int pieces = 0;          // --collective-pieces; 0: not given
  std::string activations; // --activations; empty: not given

  int ranks() const { return tp * pp * dp; }
};

/// What GoogleTest prints for a layout.
inline void PrintTo(const Layout &layout, std::ostream *stream) {
  *stream << layout.name;
}

/// A folder for one test's files, removed with everything in it at the end.
class TestFolder {
public:
  TestFolder();
  ~TestFolder();
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }

private:
  std::string path;
};

/// Path of a tool of this build, e.g. "orrery-run".
std::string tool(const std::string &name);

/// Token files of the repository's licence, a document per line; written once
/// per process. The prefix, with .bin, .idx and .vocab.json beside it.
const std::string &tokenFiles();

/// Arguments of pretrain_gpt.py for the layout. The padded vocabulary is 384
/// in every one (it depends on tp).
std::vector<std::string> megatronArguments(const Layout &layout);

/// orrery-compile for the layout, with more arguments behind the usual ones.
Outcome compileJob(const Layout &layout, const std::string &plan,
                   const std::vector<std::string> &more = {});

/// mpirun orrery-run with one thread a rank.
std::vector<std::string> runCommand(int ranks, const std::string &plan,
                                    const std::vector<std::string> &more);

/// Compiles the layout, runs it and reads its metrics; adds failures when one
/// of them does not end well.
Metrics trainJob(const Layout &layout, const TestFolder &folder,
                 const std::vector<std::string> &more = {});

} // namespace orrery::test

#endif // ORRERY_TEST_E2E_SMALLJOB_H
