// Where a GPU's memory went: what each part of setting up took.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_MEMORYLEDGER_H
#define ORRERY_RUNTIME_DEVICE_CUDA_MEMORYLEDGER_H

#include "absl/status/status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {

/// "1.50 GiB", "12.0 MiB", "3.1 KiB".
std::string bytesText(int64_t bytes);

/// Measured as the fall of the free memory, so a part's number holds what the
/// driver rounds up, and what other processes took at that moment.
class MemoryLedger {
public:
  /// Books what has been taken since the last call under `what`; repeated names
  /// add up. The first call books everything taken so far.
  absl::Status book(const std::string &what);

  int64_t free() const { return freeBytes; } // at the last call
  int64_t total() const { return totalBytes; }
  int64_t taken() const; // sum of all entries
  /// "context 512.0 MiB, NCCL 1.20 GiB".
  std::string text() const;

private:
  struct Entry {
    std::string what;
    int64_t bytes = 0;
  };
  void add(const std::string &what, int64_t bytes);

  std::vector<Entry> booked;
  int64_t freeBytes = 0, totalBytes = 0;
};

/// Ok when arena, scratch and a reserve for graphs fit the free memory; else
/// ResourceExhausted with the needs, what is there and where the rest went.
absl::Status checkFit(const MemoryLedger &ledger, int64_t arena,
                      int64_t scratch, int64_t reserve);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_MEMORYLEDGER_H
