// Chooses the instruction set and checks the arguments.
#include "kernels/cpu/Attention.h"

#include "absl/strings/str_cat.h"
#include "kernels/cpu/attention/Entry.h"

namespace orrery::kernels {

Isa bestIsa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return Isa::Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return Isa::Avx2;
#endif
  return Isa::Baseline;
}

namespace {

// Floats of one thread: 7 tiles of rows, 3 square tiles, dk and dv of a head.
int64_t scratchFloats(const AttentionShape &shape) {
  const int64_t tile = 64;
  const int64_t padded = (shape.dim + 15) / 16 * 16;
  return 7 * tile * padded + 3 * tile * tile + 2 * shape.sequence * padded;
}

absl::Status checkShape(const AttentionShape &shape) {
  if (shape.sequence < 1 || shape.batch < 1 || shape.heads < 1 || shape.dim < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "attention needs sequence, batch, heads and dim of at least 1, got ",
        shape.sequence, ", ", shape.batch, ", ", shape.heads, ", ", shape.dim));
  if (!(shape.dropout >= 0 && shape.dropout < 1))
    return absl::InvalidArgumentError(absl::StrCat(
        "attention dropout must be in [0, 1), got ", shape.dropout));
  return absl::OkStatus();
}

} // namespace

int64_t attentionScratchBytes(const AttentionShape &shape, int threads) {
  return scratchFloats(shape) * static_cast<int64_t>(sizeof(float)) * threads;
}

absl::Status attention(ElementType type,
                       const AttentionForwardArguments &arguments,
                       void *scratch, int threads, Isa isa) {
  if (type != ElementType::F32)
    return noSuchForm("attention", type, "f32");
  if (absl::Status status = checkShape(arguments.shape); !status.ok())
    return status;
  float *floats = static_cast<float *>(scratch);
  const int64_t each = scratchFloats(arguments.shape);
#if defined(__x86_64__)
  if (isa == Isa::Avx512)
    avx512::attentionForward(arguments, floats, each, threads);
  else if (isa == Isa::Avx2)
    avx2::attentionForward(arguments, floats, each, threads);
  else
#endif
    baseline::attentionForward(arguments, floats, each, threads);
  return absl::OkStatus();
}

absl::Status attentionGrad(ElementType type,
                           const AttentionBackwardArguments &arguments,
                           void *scratch, int threads, Isa isa) {
  if (type != ElementType::F32)
    return noSuchForm("attention_grad", type, "f32");
  if (absl::Status status = checkShape(arguments.shape); !status.ok())
    return status;
  float *floats = static_cast<float *>(scratch);
  const int64_t each = scratchFloats(arguments.shape);
#if defined(__x86_64__)
  if (isa == Isa::Avx512)
    avx512::attentionBackward(arguments, floats, each, threads);
  else if (isa == Isa::Avx2)
    avx2::attentionBackward(arguments, floats, each, threads);
  else
#endif
    baseline::attentionBackward(arguments, floats, each, threads);
  return absl::OkStatus();
}

} // namespace orrery::kernels
