// Fuzzes the reader of hostfiles.
#include "frontend/hostfile/Hostfile.h"
#include "test/fuzz/FuzzTarget.h"

#include <cstdlib>
#include <set>

using namespace orrery::frontend;

static int64_t accepted = 0;

/// Ends the process, which is the finding.
static void require(bool condition) {
  if (!condition)
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Hostfile file = parseHostfile({reinterpret_cast<const char *>(data), size});
  std::set<std::string> names;
  for (const Host &host : file.hosts) {
    require(host.slots >= 1 && !host.name.empty());
    require(names.insert(host.name).second);
  }
  for (const orrery::job::Diagnostic &error : file.errors)
    require(!error.problem.empty());
  if (!file.ok())
    return 0;
  ++accepted;
  require(file.worldSize() >= 1 && file.worldSize() < int64_t(1) << 31);
  return 0;
}

std::vector<std::string> orrery::test::fuzzSeeds() {
  return {"node1 slots=4 max_slots=8\nnode2 slots=2\n", "a\nb\na\n",
          "# all\nme@node1:4 # four\n\nfe80::1 slots=1\r\n"};
}

int64_t orrery::test::fuzzAccepted() { return accepted; }
