// How fast our own attention is on this GPU:
//
//   attention-cuda [S B N D [causal|full [f32|f16|bf16 [DROPOUT]]]]
//
// prints forward and backward, of one shape or of a table. Operands are slices
// of [s, b, n, 3, d], as a fused projection leaves them. FLOPs: 4 s² d a head
// forward, 10 backward, half of it where causal. Times are medians of 20 runs.
#include "kernels/cuda/Attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace orrery::kernels;

void require(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

using Memory = std::unique_ptr<char, cudaError_t (*)(void *)>;

Memory allocate(int64_t bytes) {
  char *memory = nullptr;
  require(cudaMalloc(reinterpret_cast<void **>(&memory),
                     std::max<int64_t>(bytes, 16)),
          "cudaMalloc");
  return Memory(memory, [](void *p) { return cudaFree(p); });
}

// Normally distributed elements: what numbers they are changes a GPU's clock.
Memory noise(ElementType type, int64_t count) {
  const int64_t size = elementBytes(type);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<char> values((1 << 20) * size);
  for (int64_t i = 0; i < 1 << 20; ++i) {
    float x = normal(random);
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    uint16_t half = static_cast<uint16_t>(bits >> 16);
    if (type == ElementType::F16) // towards zero, small ones to zero
      half = static_cast<uint16_t>(
          bits >> 31 << 15 |
          (std::fabs(x) < 6.2e-5f
               ? 0
               : ((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023)));
    std::memcpy(&values[i * size],
                type == ElementType::F32 ? static_cast<void *>(&bits) : &half,
                size);
  }
  Memory memory = allocate(count * size);
  const auto chunk = static_cast<int64_t>(values.size());
  for (int64_t at = 0; at < count * size; at += chunk)
    require(cudaMemcpy(memory.get() + at, values.data(),
                       std::min(chunk, count * size - at),
                       cudaMemcpyHostToDevice),
            "copy of an operand");
  return memory;
}

// In ms.
double measure(const std::function<cudaError_t(cudaStream_t)> &enqueue) {
  cudaStream_t stream;
  cudaEvent_t begin, end;
  require(cudaStreamCreate(&stream), "stream");
  require(cudaEventCreate(&begin), "event");
  require(cudaEventCreate(&end), "event");
  std::vector<float> times;
  for (int run = 0; run < 25; ++run) {
    float time = 0;
    require(cudaEventRecord(begin, stream), "event");
    require(enqueue(stream), "launch");
    require(cudaEventRecord(end, stream), "event");
    require(cudaEventSynchronize(end), "measured work");
    require(cudaEventElapsedTime(&time, begin, end), "event");
    if (run >= 5)
      times.push_back(time);
  }
  require(cudaEventDestroy(begin), "event");
  require(cudaEventDestroy(end), "event");
  require(cudaStreamDestroy(stream), "stream");
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void print(ElementType type, const AttentionShape &s, const char *what,
           double flops, double time) {
  std::printf("%6lld %4lld %4lld %4lld %-6s %-4s dropout %-4g %-8s %9.3f ms "
              "%7.1f TFLOP/s\n",
              static_cast<long long>(s.sequence),
              static_cast<long long>(s.batch), static_cast<long long>(s.heads),
              static_cast<long long>(s.dim), s.causal ? "causal" : "full",
              elementName(type), s.dropout, what, time, flops / time / 1e9);
}

void runShape(ElementType type, const AttentionShape &shape) {
  const int64_t count = shape.sequence * shape.batch * shape.heads * shape.dim;
  Memory qkv = noise(type, 3 * count), o = noise(type, count);
  Memory gradO = noise(type, count), gradQkv = noise(type, 3 * count);
  Memory lse = allocate(shape.sequence * shape.batch * shape.heads * 4);
  Memory scratch = allocate(cuda::attentionScratchBytes(type, shape, true));
  Memory key = allocate(8);
  require(cudaMemset(key.get(), 7, 8), "key");
  auto slice = [&](const Memory &memory, int64_t part, int64_t parts) {
    const int64_t head = parts * shape.dim, sample = shape.heads * head;
    return AttentionTensor{memory.get() + part * shape.dim * elementBytes(type),
                           shape.batch * sample, sample, head};
  };
  auto *lseFloats = reinterpret_cast<float *>(lse.get());
  const auto *keyWord = reinterpret_cast<const uint64_t *>(key.get());
  const AttentionForwardArguments forward = {
      shape,          slice(qkv, 0, 3), slice(qkv, 1, 3), slice(qkv, 2, 3),
      slice(o, 0, 1), lseFloats};
  const AttentionBackwardArguments backward = {shape,
                                               forward.q,
                                               forward.k,
                                               forward.v,
                                               forward.o,
                                               lseFloats,
                                               slice(gradO, 0, 1),
                                               slice(gradQkv, 0, 3),
                                               slice(gradQkv, 1, 3),
                                               slice(gradQkv, 2, 3)};
  const double matrix =
      static_cast<double>(shape.sequence) * count * (shape.causal ? 0.5 : 1.0);
  print(type, shape, "forward", 4 * matrix, measure([&](cudaStream_t stream) {
          return cuda::attention(type, forward, keyWord, nullptr, stream);
        }));
  print(type, shape, "backward", 10 * matrix, measure([&](cudaStream_t stream) {
          return cuda::attentionGrad(type, backward, keyWord, scratch.get(),
                                     stream);
        }));
}

AttentionShape shapeOf(int64_t s, int64_t b, int64_t n, int64_t d, bool causal,
                       double dropout) {
  AttentionShape shape;
  shape.sequence = s;
  shape.batch = b;
  shape.heads = shape.totalHeads = n;
  shape.dim = d;
  shape.scale = 1 / std::sqrt(static_cast<double>(d));
  shape.causal = causal;
  shape.dropout = dropout;
  return shape;
}

void runTable() {
  for (int64_t d : {64, 80, 96, 128, 256})
    for (int64_t s : {1024, 2048, 4096})
      for (bool causal : {true, false})
        runShape(ElementType::BF16,
                 shapeOf(s, 16384 / s, 2048 / d, d, causal, 0));
  for (int64_t d : {64, 128}) {
    runShape(ElementType::F16, shapeOf(2048, 8, 2048 / d, d, true, 0));
    runShape(ElementType::BF16, shapeOf(2048, 8, 2048 / d, d, true, 0.1));
    runShape(ElementType::F32, shapeOf(1024, 8, 1024 / d, d, true, 0));
    runShape(ElementType::F32, shapeOf(1024, 8, 1024 / d, d, true, 0.1));
  }
}

int usage() {
  std::fprintf(stderr, "usage: attention-cuda [S B N D [causal|full "
                       "[f32|f16|bf16 [DROPOUT]]]]\n");
  return 2;
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 1) {
    runTable();
    return 0;
  }
  if (argc < 5 || argc > 8)
    return usage();
  int64_t sizes[4];
  for (int i = 0; i < 4; ++i) {
    char *end;
    sizes[i] = std::strtoll(argv[i + 1], &end, 10);
    if (*end || sizes[i] < 1)
      return usage();
  }
  const std::string causal = argc > 5 ? argv[5] : "causal";
  const std::string type = argc > 6 ? argv[6] : "bf16";
  char *end = nullptr;
  const double dropout = argc > 7 ? std::strtod(argv[7], &end) : 0;
  if ((causal != "causal" && causal != "full") || (end && *end) ||
      !(dropout >= 0 && dropout < 1))
    return usage();
  for (ElementType known :
       {ElementType::F32, ElementType::F16, ElementType::BF16})
    if (type == elementName(known)) {
      runShape(known, shapeOf(sizes[0], sizes[1], sizes[2], sizes[3],
                              causal == "causal", dropout));
      return 0;
    }
  return usage();
}
