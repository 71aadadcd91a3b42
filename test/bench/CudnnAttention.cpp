// How fast cuDNN's attention is on this GPU:
//
//   cudnn-attention-cuda [S B N D [causal|full [f16|bf16]]]
//
// prints a table of forward and backward, the backward in any order and with
// the same bits each time, whole and in parts. Operands are slices of [s, b, n,
// 3, d], as a fused projection leaves them. FLOPs: 4 s² d a head forward, 10
// backward, half of it where causal.
#include "runtime/device/cuda/CudnnAttention.h"
#include "absl/strings/numbers.h"
#include "runtime/device/cuda/Memory.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <functional>
#include <random>
#include <vector>

namespace orrery::runtime::cuda {
namespace {

using kernels::AttentionShape;
using kernels::AttentionTensor;
using kernels::ElementType;

struct Bench {
  ElementType type = ElementType::BF16;
  AttentionShape shape;
  DeviceMemory qkv, o, gradO, gradQkv, lse;

  AttentionTensor slice(const DeviceMemory &memory, int64_t part,
                        int64_t parts) const {
    const int64_t head = parts * shape.dim, sample = shape.heads * head;
    return {static_cast<std::byte *>(memory.get()) + part * shape.dim * 2,
            shape.batch * sample, sample, head};
  }
  kernels::AttentionForwardArguments forward() const {
    return {shape,
            slice(qkv, 0, 3),
            slice(qkv, 1, 3),
            slice(qkv, 2, 3),
            slice(o, 0, 1),
            static_cast<float *>(lse.get())};
  }
  kernels::AttentionBackwardArguments backward() const {
    return {shape,
            slice(qkv, 0, 3),
            slice(qkv, 1, 3),
            slice(qkv, 2, 3),
            slice(o, 0, 1),
            static_cast<const float *>(lse.get()),
            slice(gradO, 0, 1),
            slice(gradQkv, 0, 3),
            slice(gradQkv, 1, 3),
            slice(gradQkv, 2, 3)};
  }
};

// Normally distributed elements: what numbers they are changes a GPU's clock.
absl::StatusOr<DeviceMemory> noise(ElementType type, int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<uint16_t> values(1 << 20);
  for (uint16_t &value : values) {
    const float x = normal(random);
    if (type == ElementType::BF16) {
      const __nv_bfloat16 rounded = __float2bfloat16(x);
      std::memcpy(&value, &rounded, 2);
    } else {
      const __half rounded = __float2half(x);
      std::memcpy(&value, &rounded, 2);
    }
  }
  auto memory = allocateDevice(count * 2, "an operand");
  if (!memory.ok())
    return memory;
  const int64_t chunk = static_cast<int64_t>(values.size());
  for (int64_t first = 0; first < count; first += chunk)
    if (absl::Status status = toStatus(
            cudaMemcpy(static_cast<uint16_t *>(memory->get()) + first,
                       values.data(), std::min(chunk, count - first) * 2,
                       cudaMemcpyHostToDevice),
            "copy of an operand");
        !status.ok())
      return status;
  return memory;
}

absl::Status allocate(Bench &bench) {
  const AttentionShape &s = bench.shape;
  const int64_t count = s.sequence * s.batch * s.heads * s.dim;
  for (auto [memory, elements] :
       {std::pair(&bench.qkv, 3 * count),
        {&bench.o, count},
        {&bench.gradO, count},
        {&bench.gradQkv, 3 * count},
        {&bench.lse, s.sequence * s.batch * s.heads * 2}}) {
    auto made = noise(bench.type, elements);
    if (!made.ok())
      return made.status();
    *memory = *std::move(made);
  }
  return absl::OkStatus();
}

// The median of 20 runs, in ms.
absl::StatusOr<double>
measure(const std::function<absl::Status(cudaStream_t)> &enqueue) {
  auto stream = createStream(false);
  auto begin = createEvent(true), end = createEvent(true);
  for (const absl::Status &status :
       {stream.status(), begin.status(), end.status()})
    if (!status.ok())
      return status;
  std::vector<double> times;
  for (int run = 0; run < 25; ++run) {
    absl::Status status =
        toStatus(cudaEventRecord(begin->get(), stream->get()), "event");
    status.Update(enqueue(stream->get()));
    status.Update(
        toStatus(cudaEventRecord(end->get(), stream->get()), "event"));
    status.Update(toStatus(cudaEventSynchronize(end->get()), "measured work"));
    float time = 0;
    status.Update(toStatus(
        cudaEventElapsedTime(&time, begin->get(), end->get()), "event"));
    if (!status.ok())
      return status;
    if (run >= 5)
      times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void print(const char *what, const AttentionShape &s, double flops,
           int64_t workspace, const absl::StatusOr<double> &time) {
  std::printf("%6lld %4lld %4lld %4lld %-6s  %-34s ",
              static_cast<long long>(s.sequence),
              static_cast<long long>(s.batch), static_cast<long long>(s.heads),
              static_cast<long long>(s.dim), s.causal ? "causal" : "full",
              what);
  if (time.ok())
    std::printf("%9.3f ms %7.1f TFLOP/s %9.1f MiB workspace\n", *time,
                flops / *time / 1e9, workspace / 1048576.0);
  else
    std::printf("%s\n", std::string(time.status().message()).c_str());
}

absl::Status runShape(ElementType type, const AttentionShape &shape) {
  Bench bench;
  bench.type = type;
  bench.shape = shape;
  if (absl::Status status = allocate(bench); !status.ok())
    return status;
  const double matrix = static_cast<double>(shape.sequence) * shape.sequence *
                        shape.dim * shape.batch * shape.heads *
                        (shape.causal ? 0.5 : 1.0);
  struct {
    const char *name;
    CudnnOptions options;
  } variants[] = {
      {"backward, any order", {.deterministic = false}},
      {"backward, same bits, whole", {.matrixBytes = int64_t(1) << 40}},
      {"backward, same bits, 256 MiB", {.matrixBytes = int64_t(256) << 20}},
      {"backward, same bits, 64 MiB", {.matrixBytes = int64_t(64) << 20}},
      {"backward, same bits, 32 MiB", {.matrixBytes = int64_t(32) << 20}}};
  bool first = true;
  for (const auto &[name, options] : variants) {
    auto cudnn = CudnnAttention::create(options);
    if (!cudnn.ok())
      return cudnn.status();
    if (first) {
      std::printf("%s\n", (*cudnn)->name().c_str());
      auto plan = (*cudnn)->forward(type, bench.forward());
      if (!plan.ok())
        return plan.status();
      const int64_t bytes = (*plan)->workspaceBytes();
      auto workspace = allocateDevice(bytes, "a workspace");
      if (!workspace.ok())
        return workspace.status();
      print("forward", shape, 4 * matrix, bytes,
            measure([&](cudaStream_t stream) {
              return (*plan)->enqueue(bench.forward(), workspace->get(),
                                      stream);
            }));
      first = false;
    }
    auto plan = (*cudnn)->backward(type, bench.backward());
    if (!plan.ok()) {
      print(name, shape, 0, 0, plan.status());
      continue;
    }
    const int64_t bytes = (*plan)->workspaceBytes();
    auto workspace = allocateDevice(bytes, "a workspace");
    if (!workspace.ok()) {
      print(name, shape, 0, 0, workspace.status());
      continue;
    }
    print(name, shape, 10 * matrix, bytes, measure([&](cudaStream_t stream) {
            return (*plan)->enqueue(bench.backward(), workspace->get(), stream);
          }));
  }
  return absl::OkStatus();
}

AttentionShape shapeOf(int64_t s, int64_t b, int64_t n, int64_t d,
                       bool causal) {
  AttentionShape shape;
  shape.sequence = s;
  shape.batch = b;
  shape.heads = n;
  shape.dim = d;
  shape.causal = causal;
  shape.scale = 1 / std::sqrt(static_cast<double>(d));
  return shape;
}

int run(int argc, char **argv) {
  ElementType type = ElementType::BF16;
  std::vector<AttentionShape> shapes = {
      shapeOf(1024, 8, 12, 64, true), shapeOf(1024, 32, 12, 64, true),
      shapeOf(2048, 4, 16, 128, true), shapeOf(2048, 8, 32, 96, true),
      shapeOf(4096, 2, 32, 128, true)};
  if (argc > 1) {
    int64_t numbers[4] = {};
    bool right = argc >= 5 && argc <= 7;
    for (int i = 0; i < 4 && right; ++i)
      right = absl::SimpleAtoi(argv[i + 1], &numbers[i]) && numbers[i] > 0;
    const std::string mask = argc > 5 ? argv[5] : "causal";
    const std::string name = argc > 6 ? argv[6] : "bf16";
    right = right && (mask == "causal" || mask == "full") &&
            (name == "bf16" || name == "f16");
    if (!right) {
      std::fprintf(stderr, "usage: cudnn-attention-cuda [S B N D "
                           "[causal|full [f16|bf16]]]\n");
      return 2;
    }
    type = name == "f16" ? ElementType::F16 : ElementType::BF16;
    shapes = {shapeOf(numbers[0], numbers[1], numbers[2], numbers[3],
                      mask == "causal")};
  }
  for (const AttentionShape &shape : shapes)
    if (absl::Status status = runShape(type, shape); !status.ok()) {
      std::fprintf(stderr, "cudnn-attention-cuda: error: %s\n",
                   std::string(status.message()).c_str());
      return 1;
    }
  return 0;
}

} // namespace
} // namespace orrery::runtime::cuda

int main(int argc, char **argv) {
  return orrery::runtime::cuda::run(argc, argv);
}
