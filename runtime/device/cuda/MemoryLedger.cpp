// Measuring, and the text.
#include "runtime/device/cuda/MemoryLedger.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/device/cuda/CudaStatus.h"

namespace orrery::runtime::cuda {

std::string bytesText(int64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes >= int64_t(1) << 30)
    return absl::StrFormat("%.2f GiB", value / (1 << 30));
  if (bytes >= 1 << 20)
    return absl::StrFormat("%.1f MiB", value / (1 << 20));
  return absl::StrFormat("%.1f KiB", value / (1 << 10));
}

void MemoryLedger::add(const std::string &what, int64_t bytes) {
  for (Entry &entry : booked)
    if (entry.what == what) {
      entry.bytes += bytes;
      return;
    }
  booked.push_back({what, bytes});
}

absl::Status MemoryLedger::book(const std::string &what) {
  size_t now = 0, total = 0;
  if (cudaError_t error = cudaMemGetInfo(&now, &total); error != cudaSuccess)
    return toStatus(error, "cannot ask for the GPU's free memory");
  const int64_t before = totalBytes ? freeBytes : static_cast<int64_t>(total);
  freeBytes = static_cast<int64_t>(now);
  totalBytes = static_cast<int64_t>(total);
  // Other processes may have given memory back in the meantime.
  if (before > freeBytes)
    add(what, before - freeBytes);
  return absl::OkStatus();
}

int64_t MemoryLedger::taken() const {
  int64_t bytes = 0;
  for (const Entry &entry : booked)
    bytes += entry.bytes;
  return bytes;
}

std::string MemoryLedger::text() const {
  return absl::StrJoin(booked, ", ", [](std::string *out, const Entry &entry) {
    absl::StrAppend(out, entry.what, " ", bytesText(entry.bytes));
  });
}

absl::Status checkFit(const MemoryLedger &ledger, int64_t arena,
                      int64_t scratch, int64_t reserve) {
  const int64_t need = arena + scratch + reserve;
  if (need <= ledger.free())
    return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the plan does not fit this GPU: it needs ", bytesText(need),
      " more (arena ", bytesText(arena), ", scratch ", bytesText(scratch),
      ", graphs ", bytesText(reserve), "), and ", bytesText(ledger.free()),
      " of ", bytesText(ledger.total()), " are free; taken are ",
      ledger.text()));
}

} // namespace orrery::runtime::cuda
