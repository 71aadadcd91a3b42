// Texts of the plans, and their kernels for GPUs.
#include "test/runtime/device/cuda/CudaPlans.h"

#include "test/runtime/exec/PlanText.h"

#include <cuda_runtime_api.h>

namespace orrery::runtime {

int gpuCount() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

plan::Plan forGpus(const plan::Plan &plan) {
  plan::Plan result = plan;
  result.mutable_target()->set_name("sm_80");
  for (plan::Kernel &kernel : *result.mutable_kernels()) {
    kernel.set_threads(64);
    kernel.set_rows_per_block(64);
  }
  result.set_kernel_object(readBuilt(ORRERY_TEST_PTX));
  return result;
}

// Stream 0 turns tokens into x and adds them to the gradient g. Stream 1 copies
// x to y as soon as it is there, and stream 2 adds y to h while stream 0 is at
// the next microbatch; y has one slot, so that each waits for the other.
const char *const kStreamsPlan = R"(
  job { train { seed: 7 } }
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 2 first_layer: 3 arena_bytes: 65536 }
    buffers { name: "tokens" kind: INPUT offset: 0 bytes: 4000
              slot_stride: 4096 type: I32 shape: [500, 2] }
    buffers { name: "loss_mask" kind: INPUT offset: 8192 bytes: 4000
              slot_stride: 4096 type: F32 shape: [500, 2] }
    buffers { name: "g" kind: GRADIENT offset: 16384 bytes: 4000 slots: 1
              type: F32 shape: 1000 }
    buffers { name: "h" kind: GRADIENT offset: 20480 bytes: 4000 slots: 1
              type: F32 shape: 1000 }
    buffers { name: "x" kind: WORK offset: 24576 bytes: 4000 slots: 1 type: F32
              shape: 1000 }
    buffers { name: "y" kind: WORK offset: 28672 bytes: 4000 slots: 1 type: F32
              shape: 1000 }
    buffers { name: "w" kind: WEIGHT offset: 32768 bytes: 4000 slots: 1
              type: F32 shape: 1000 }
    buffers { name: "v" kind: OPTIMIZER offset: 36864 bytes: 4000 slots: 1
              type: F32 shape: 1000 }
    buffers { name: "lr" kind: SCALAR offset: 40960 bytes: 4 slots: 1 type: F32
              shape: 1 }
    buffers { name: "grad_norm" kind: SCALAR offset: 41216 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "lm_loss" kind: SCALAR offset: 41472 bytes: 4 slots: 1
              type: F32 shape: 1 }
    programs { name: "forward"
      instructions { label: "convert" launch { kernel: 3
        buffers { buffer: 0 shape: 1000 strides: 1 type: I32 }
        buffers: V(4, 1000) rows: 1000 } }
      instructions { label: "mask" launch { kernel: 1 buffers: V(1, 1000)
        buffers: V(4, 1000) scalars { index { constant: 3
        per_microbatch: 2 } } rows: 1000 } }
      instructions { label: "copy" stream: 1 copy { in: V(4, 1000)
        out: V(5, 1000) } }
      instructions { label: "add" launch { kernel: 1 buffers: V(4, 1000)
        buffers: V(2, 1000) scalars { index { constant: 1 } } rows: 1000 } }
      instructions { label: "beside" stream: 2 launch { kernel: 1
        buffers: V(5, 1000) buffers: V(3, 1000) scalars { index {
        constant: 2 } } rows: 1000 } }
      instructions { label: "sum" launch { kernel: 1 buffers: V(2, 1)
        buffers: V(9, 1) scalars { index { constant: 1 } } rows: 1 } }
      instructions { label: "last" stream: 1 last_run_only: true launch {
        kernel: 1 buffers: V(3, 1000) buffers: V(2, 1000) scalars { index {
        constant: 1 } } rows: 1000 } } }
    programs { name: "update"
      instructions { label: "descend" launch { kernel: 4 buffers: V(6, 1000)
        buffers: V(2, 1000) buffers: V(8, 1) rows: 1000 } }
      instructions { label: "moment" stream: 2 launch { kernel: 1
        buffers: V(3, 1000) buffers: V(7, 1000) scalars { index {
        constant: 1 } } rows: 1000 } }
      instructions { label: "key" launch { kernel: 2 buffers: V(10, 1)
        scalars { stream { name: "layers.{layer}.dropout" layer: 1 } }
        rows: 1 } } }
    train { phases { count: ALL programs: "forward" }
            phases { count: ONCE programs: "update" } }
    evaluate { phases { count: ALL programs: "forward" } }
  }
)";

// What rank-chunk-collectives makes, with copies in place of messages and
// products: x [2, 512] comes in two pieces [2, 256] to y, which go on to z,
// then each as a whole to s and on to t. All of y is added to g, three times t
// to h.
const char *const kPiecesPlan = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 65536 }
    buffers { name: "x" kind: WORK offset: 0 bytes: 4096 slots: 1 type: F32
              shape: 1024 }
    buffers { name: "y" kind: WORK offset: 4096 bytes: 4096 slots: 1 type: F32
              shape: 1024 }
    buffers { name: "z" kind: WORK offset: 8192 bytes: 4096 slots: 1 type: F32
              shape: 1024 }
    buffers { name: "s" kind: WORK offset: 12288 bytes: 4096 slots: 1 type: F32
              shape: 1024 }
    buffers { name: "t" kind: WORK offset: 16384 bytes: 4096 slots: 1 type: F32
              shape: 1024 }
    buffers { name: "g" kind: WEIGHT offset: 20480 bytes: 4096 slots: 1
              type: F32 shape: 1024 }
    buffers { name: "h" kind: WEIGHT offset: 24576 bytes: 4096 slots: 1
              type: F32 shape: 1024 }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 1024) scalars { index {
        constant: 2 per_microbatch: 1 } } rows: 1024 } }
      instructions { stream: 2 copy { in { buffer: 0 offset: 0 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 1 offset: 0 shape: [2, 256]
        strides: [512, 1] type: F32 } } }
      instructions { stream: 2 copy { in { buffer: 0 offset: 1024 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 1 offset: 1024 shape: [2, 256]
        strides: [512, 1] type: F32 } } }
      instructions { copy { in { buffer: 1 offset: 0 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 2 offset: 0 shape: [2, 256]
        strides: [512, 1] type: F32 } } }
      instructions { copy { in { buffer: 1 offset: 1024 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 2 offset: 1024 shape: [2, 256]
        strides: [512, 1] type: F32 } } }
      instructions { copy { in { buffer: 2 offset: 0 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 3 offset: 0 shape: [2, 256]
        strides: [256, 1] type: F32 } } }
      instructions { stream: 2 copy { in { buffer: 3 offset: 0 shape: [2, 256]
        strides: [256, 1] type: F32 } out { buffer: 4 offset: 0 shape: [2, 256]
        strides: [256, 1] type: F32 } } }
      instructions { copy { in { buffer: 2 offset: 1024 shape: [2, 256]
        strides: [512, 1] type: F32 } out { buffer: 3 offset: 2048 shape: [2, 256]
        strides: [256, 1] type: F32 } } }
      instructions { stream: 2 copy { in { buffer: 3 offset: 2048 shape: [2, 256]
        strides: [256, 1] type: F32 } out { buffer: 4 offset: 2048 shape: [2, 256]
        strides: [256, 1] type: F32 } } }
      instructions { launch { kernel: 1 buffers: V(1, 1024)
        buffers: V(5, 1024) scalars { index { constant: 1 } } rows: 1024 } }
      instructions { launch { kernel: 1 buffers: V(4, 1024)
        buffers: V(6, 1024) scalars { index { constant: 3 } } rows: 1024 } } }
    train { phases { count: ALL programs: "forward" } }
  }
)";

// x [20, 8] goes to a and c (in another order) on stream 1 and to b on stream
// 2; stream 0 adds the columns of all four to sums of their own, and stream 1
// those of b and a to t, which stream 2 adds to u.
const char *const kSumsPlan = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 65536 }
    buffers { name: "x" kind: WORK offset: 0 bytes: 640 slots: 1 type: F32
              shape: 160 }
    buffers { name: "a" kind: WORK offset: 1024 bytes: 640 slots: 1 type: F32
              shape: 160 }
    buffers { name: "b" kind: WORK offset: 2048 bytes: 644 slots: 1 type: F32
              shape: 161 }
    buffers { name: "c" kind: WORK offset: 3072 bytes: 640 slots: 1 type: F32
              shape: 160 }
    buffers { name: "sum a" kind: WEIGHT offset: 4096 bytes: 32 slots: 1
              type: F32 shape: 8 }
    buffers { name: "sum b" kind: WEIGHT offset: 4352 bytes: 32 slots: 1
              type: F32 shape: 8 }
    buffers { name: "sum c" kind: WEIGHT offset: 4608 bytes: 32 slots: 1
              type: F32 shape: 8 }
    buffers { name: "sum x" kind: WEIGHT offset: 4864 bytes: 32 slots: 1
              type: F32 shape: 8 }
    buffers { name: "t" kind: WORK offset: 5120 bytes: 64 slots: 1 type: F32
              shape: 16 }
    buffers { name: "u" kind: WEIGHT offset: 5376 bytes: 64 slots: 1 type: F32
              shape: 16 }
    programs { name: "forward"
      instructions { label: "count" launch { kernel: 0 buffers: V(0, 160)
        scalars { index { constant: 2 per_microbatch: 1 } } rows: 160 } }
      instructions { label: "to a" stream: 1 copy { in: M(0, 20, 8)
        out: M(1, 20, 8) } }
      instructions { label: "to b" stream: 2 copy { in: M(0, 20, 8)
        out { buffer: 2 offset: 4 shape: [20, 8] strides: [8, 1]
              type: F32 } } }
      instructions { label: "to c" stream: 1 copy {
        in { buffer: 0 shape: [20, 8] strides: [1, 20] type: F32 }
        out: M(3, 20, 8) } }
      instructions { label: "sum x" flops: 1 column_sum { in: M(0, 20, 8)
        out: V(7, 8) accumulate: true } }
      instructions { label: "sum a" flops: 10 column_sum { in: M(1, 20, 8)
        out: V(4, 8) accumulate: true } }
      instructions { label: "sum b" flops: 100 column_sum {
        in { buffer: 2 offset: 4 shape: [20, 8] strides: [8, 1] type: F32 }
        out: V(5, 8) accumulate: true } }
      instructions { label: "sum c" flops: 1000 column_sum { in: M(3, 20, 8)
        out: V(6, 8) accumulate: true } }
      instructions { label: "b to t" stream: 1 column_sum {
        in { buffer: 2 offset: 4 shape: [20, 8] strides: [8, 1] type: F32 }
        out: V(8, 8) } }
      instructions { label: "a to t" stream: 1 column_sum { in: M(1, 20, 8)
        out { buffer: 8 offset: 32 shape: 8 strides: 1 type: F32 } } }
      instructions { label: "add t" stream: 2 launch { kernel: 1
        buffers: V(8, 16) buffers: V(9, 16) scalars { index { constant: 3 } }
        rows: 16 } } }
    train { phases { count: ALL programs: "forward" } }
  }
)";

// Ids are the positions modulo 7 of a table of 6 rows that begins at row 1.
const char *const kKernelsPlan = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 65536 }
    buffers { name: "tokens" kind: INPUT offset: 0 bytes: 80 slots: 1 type: I32
              shape: [10, 2] }
    buffers { name: "table" kind: WEIGHT offset: 256 bytes: 192 slots: 1
              type: F32 shape: [6, 8] }
    buffers { name: "dtable" kind: GRADIENT offset: 512 bytes: 192 slots: 1
              type: F32 shape: [6, 8] }
    buffers { name: "x" kind: WEIGHT offset: 1024 bytes: 640 slots: 1 type: F32
              shape: [10, 2, 8] }
    buffers { name: "sums" kind: WEIGHT offset: 2048 bytes: 32 slots: 1
              type: F32 shape: 8 }
    buffers { name: "turned" kind: WEIGHT offset: 2304 bytes: 640 slots: 1
              type: F32 shape: [8, 20] }
    buffers { name: "grad_norm" kind: SCALAR offset: 3072 bytes: 8 slots: 1
              type: F64 shape: 1 }
    buffers { name: "copied" kind: WEIGHT offset: 3328 bytes: 192 slots: 1
              type: F32 shape: [6, 8] }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(1, 48) scalars { index {
        constant: 2 per_microbatch: 1 } } rows: 48 } }
      instructions { embedding { table: M(1, 6, 8)
        ids { buffer: 0 shape: [10, 2] strides: [2, 1] type: I32 }
        out { buffer: 3 shape: [10, 2, 8] strides: [16, 8, 1] type: F32 }
        first_row { constant: 1 } } }
      instructions { column_sum { in: M(3, 20, 8) out: V(4, 8)
        accumulate: true } }
      instructions { embedding_grad {
        ids { buffer: 0 shape: [10, 2] strides: [2, 1] type: I32 }
        grad_out { buffer: 3 shape: [10, 2, 8] strides: [16, 8, 1] type: F32 }
        grad: M(2, 6, 8) first_row { constant: 1 } } }
      instructions { copy {
        in { buffer: 3 shape: [8, 20] strides: [1, 8] type: F32 }
        out: M(5, 8, 20) } }
      instructions { fill { out { buffer: 5 offset: 4 shape: [8, 3]
        strides: [20, 1] type: F32 } value: -3 } } }
    programs { name: "update"
      instructions { flat_reduce { op: SQUARE_SUM in: V(2, 48)
        out { buffer: 6 shape: 1 strides: 1 type: F64 } } }
      instructions { copy { in: M(2, 6, 8) out: M(7, 6, 8) } } }
    train { phases { count: ALL programs: "forward" }
            phases { count: ONCE programs: "update" } }
  }
)";

// x = token * (row + 1) [10, 4]; y += x v with v [4, 6] of the weights, and
// z [6, 4] += y^T x in batches of 5 rows.
const char *const kProductsPlan = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 8192 }
    buffers { name: "x" kind: WORK offset: 0 bytes: 160 slots: 1 type: F32
              shape: [10, 4] }
    buffers { name: "v" kind: WEIGHT offset: 256 bytes: 96 slots: 1 type: F32
              shape: [4, 6] }
    buffers { name: "y" kind: WEIGHT offset: 512 bytes: 240 slots: 1 type: F32
              shape: [10, 6] }
    buffers { name: "z" kind: OPTIMIZER offset: 1024 bytes: 192 slots: 1
              type: F32 shape: [2, 6, 4] }
    buffers { name: "g" kind: GRADIENT offset: 1280 bytes: 96 slots: 1
              type: F32 shape: [4, 6] }
    buffers { name: "h" kind: OPTIMIZER offset: 1536 bytes: 96 slots: 1
              type: F32 shape: [4, 6] }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 40) scalars { index {
        constant: 1 per_microbatch: 3 } } rows: 40 } }
      instructions { gemm { a: M(0, 10, 4) b: M(1, 4, 6) c: M(2, 10, 6) m: 10
        n: 6 k: 4 lda: 4 ldb: 6 ldc: 6 batch: 1 alpha: 2 beta: 1 } }
      instructions { gemm { a: M(2, 10, 6) b: M(0, 10, 4)
        c { buffer: 3 shape: [2, 6, 4] strides: [24, 4, 1] type: F32 }
        transpose_a: true m: 6 n: 4 k: 5 lda: 6 ldb: 4 ldc: 4 batch: 2
        stride_a: 30 stride_b: 20 stride_c: 24 alpha: 1 } }
      instructions { gemm { a: M(0, 10, 4) b: M(2, 10, 6) c: M(4, 4, 6)
        transpose_a: true m: 4 n: 6 k: 10 lda: 4 ldb: 6 ldc: 6 batch: 1
        alpha: 1 beta: 1 first_run_overwrites: true } } }
    programs { name: "finish"
      instructions { copy { in: M(4, 4, 6) out: M(5, 4, 6) } } }
    train { phases { count: ALL programs: "forward" }
            phases { count: ONCE programs: "finish" } }
  }
)";

// Forward on stage 0: x = 100 * microbatch + row, sent; stage 1 receives it,
// adds 2 x to its weight and sends 2 x back, which stage 0 adds to its own. The
// messages of 32 MiB are too large for a buffer on the way: a send does not end
// before its receive begins.
const char *const kPipelinePlan = R"(
  mesh { axes { name: "pp" size: 2 } }
  communicators { name: "pp" axes: "pp" }
  classes {
    name: "first"
    members { stage: 0 warmup: 1 slots: 2 arena_bytes: 167772160 }
    buffers { name: "x" kind: BOUNDARY offset: 0 bytes: 33554432
              slot_stride: 33554432 slots: 2 type: F32 shape: 8388608 }
    buffers { name: "dx" kind: BOUNDARY offset: 67108864 bytes: 33554432
              slot_stride: 33554432 slots: 2 type: F32 shape: 8388608 }
    buffers { name: "w" kind: WEIGHT offset: 134217728 bytes: 33554432 slots: 1
              type: F32 shape: 8388608 }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 8388608)
        scalars { index { per_microbatch: 100 } } rows: 8388608 } }
      instructions { send { delta: 1 view: V(0, 8388608) } } }
    programs { name: "backward"
      instructions { receive { delta: 1 view: V(1, 8388608) tag: 1 } }
      instructions { launch { kernel: 1 buffers: V(1, 8388608)
        buffers: V(2, 8388608) scalars { index { constant: 1 } }
        rows: 8388608 } } }
    train { phases { count: FIRST programs: "forward" }
            phases { count: REST programs: "forward" programs: "backward" }
            phases { count: FIRST programs: "backward" } }
  }
  classes {
    name: "last"
    members { stage: 1 warmup: 0 slots: 1 arena_bytes: 100663296 }
    buffers { name: "x" kind: BOUNDARY offset: 0 bytes: 33554432 slots: 1
              type: F32 shape: 8388608 }
    buffers { name: "dx" kind: BOUNDARY offset: 33554432 bytes: 33554432
              slots: 1 type: F32 shape: 8388608 }
    buffers { name: "w" kind: WEIGHT offset: 67108864 bytes: 33554432 slots: 1
              type: F32 shape: 8388608 }
    programs { name: "forward"
      instructions { receive { delta: -1 view: V(0, 8388608) } }
      instructions { launch { kernel: 1 buffers: V(0, 8388608)
        buffers: V(2, 8388608) scalars { index { constant: 2 } }
        rows: 8388608 } } }
    programs { name: "backward"
      instructions { fill { out: V(1, 8388608) value: 0 } }
      instructions { launch { kernel: 1 buffers: V(0, 8388608)
        buffers: V(1, 8388608) scalars { index { constant: 2 } }
        rows: 8388608 } }
      instructions { send { delta: -1 view: V(1, 8388608) tag: 1 } } }
    train { phases { count: ALL programs: "forward" programs: "backward" } }
  }
)";

const char *const kGridPlan = R"(
  mesh { axes { name: "pp" size: 1 } axes { name: "dp" size: 2 }
         axes { name: "tp" size: 2 } }
  communicators { name: "dp" axes: "dp" }
  communicators { name: "tp" axes: "tp" }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 8192 }
    buffers { kind: WEIGHT offset: 0 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WEIGHT offset: 256 bytes: 64 slots: 1 type: F32 shape: 16 }
    buffers { kind: WEIGHT offset: 512 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WEIGHT offset: 768 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WEIGHT offset: 1024 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WEIGHT offset: 1280 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WEIGHT offset: 1536 bytes: 64 slots: 1 type: F32 shape: 16 }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 8) scalars { index {
        constant: 5 terms { axis: "dp" stride: 1000 }
        terms { axis: "tp" stride: 10 } } } rows: 8 } }
      instructions { collective { op: ALL_GATHER communicator: 1
        in: M(0, 2, 4) out: M(1, 2, 8) dimension: 1 } }
      instructions { collective { op: ALL_SLICE communicator: 1
        in: M(1, 2, 8) out: M(2, 2, 4) dimension: 1 } }
      instructions { stream: 1 collective { op: ALL_REDUCE communicator: 0
        in: M(2, 2, 4) out: M(3, 2, 4) } }
      instructions { collective { op: REDUCE_SCATTER communicator: 1
        in: M(1, 2, 8) out: M(4, 2, 4) dimension: 1 } }
      instructions { collective { op: ALL_TO_ALL communicator: 1
        in: M(0, 4, 2) out: M(5, 2, 4) dimension: 0 concat_dimension: 1 } }
      instructions { stream: 2 collective { op: ALL_GATHER communicator: 1
        in: M(0, 1, 4)
        out { buffer: 6 shape: [2, 4] strides: [8, 1] type: F32 } } }
      instructions { stream: 2 collective { op: ALL_GATHER communicator: 1
        in { buffer: 0 offset: 16 shape: [1, 4] strides: [4, 1] type: F32 }
        out { buffer: 6 offset: 16 shape: [2, 4] strides: [8, 1]
              type: F32 } } } }
    train { phases { count: ALL programs: "forward" } }
  }
)";

} // namespace orrery::runtime
