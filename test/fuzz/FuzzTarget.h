// What a fuzz target defines, and what the driver of mutations needs of it.
#ifndef ORRERY_TEST_FUZZ_FUZZTARGET_H
#define ORRERY_TEST_FUZZ_FUZZTARGET_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// libFuzzer's entry: must return, whatever the bytes; a crash or an abort()
/// is the finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace orrery::test {

/// Sound inputs to start mutating from.
std::vector<std::string> fuzzSeeds();

/// How often the target accepted its input; a driver that never saw this grow
/// has tested nothing but the first check.
int64_t fuzzAccepted();

} // namespace orrery::test

#endif // ORRERY_TEST_FUZZ_FUZZTARGET_H
