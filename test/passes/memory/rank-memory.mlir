// RUN: orrery-opt --rank-memory %s | FileCheck %s
// RUN: not orrery-opt --rank-memory=limit=1000 %s 2>&1 | FileCheck %s --check-prefix=LIMIT
// Buffers get offsets: fixed ones first, then work packed by lifetime, then
// slots.

// LIMIT: error: 'rank.class' op needs 1.6{{[23]}} KiB per rank of stage 0, the device has 1000.00 B
// LIMIT: note: weight: 256.00 B
// LIMIT-NEXT: note: work: 256.00 B
// LIMIT: note: largest: boundary out f32[64], 512.00 B

// The two work buffers are never alive together and share their bytes.
// CHECK-LABEL: rank.class @stage0
// CHECK-SAME: fixed_bytes = 1024 : i64
// CHECK-SAME: slot_bytes = 320 : i64
rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 1>,
    slots = array<i64: 2>} {
  // CHECK: rank.buffer weight @w : memref<64xf32> {offset = 0 : i64, slot_stride = 256 : i64
  rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer boundary @out : memref<64xf32> {offset = 256 : i64, slot_stride = 256 : i64
  rank.buffer boundary @out : memref<64xf32> {slots = 2 : i64}
  // CHECK: rank.buffer work @a : memref<64xf32> {offset = 768 : i64, slot_stride = 0 : i64
  rank.buffer work @a : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer work @b : memref<64xf32> {offset = 768 : i64, slot_stride = 0 : i64
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer stash @s : memref<64xf32> {offset = 1024 : i64, slot_stride = 320 : i64
  rank.buffer stash @s : memref<64xf32> {slots = 0 : i64}
  // CHECK: rank.buffer input @t : memref<4xi32> {label = "tokens", offset = 1280 : i64, slot_stride = 320 : i64
  rank.buffer input @t : memref<4xi32> {slots = 0 : i64, label = "tokens"}
  rank.program @forward {
    %w = rank.view @w at 0 : memref<64xf32>
    %a = rank.view @a at 0 : memref<64xf32>
    %b = rank.view @b at 0 : memref<64xf32>
    %s = rank.view @s at 0 : memref<64xf32>
    rank.copy %w -> %a : memref<64xf32>, memref<64xf32>
    rank.copy %a -> %s : memref<64xf32>, memref<64xf32>
    rank.copy %w -> %b : memref<64xf32>, memref<64xf32>
    rank.copy %b -> %s : memref<64xf32>, memref<64xf32>
  }
}

// The second stream may still read @a when the first writes @b.
// CHECK-LABEL: rank.class @streams
rank.class @streams attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  rank.buffer weight @v : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer work @a : memref<64xf32> {offset = 512 : i64
  rank.buffer work @a : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer work @b : memref<64xf32> {offset = 768 : i64
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %w = rank.view @w at 0 : memref<64xf32>
    %v = rank.view @v at 0 : memref<64xf32>
    %a = rank.view @a at 0 : memref<64xf32>
    %b = rank.view @b at 0 : memref<64xf32>
    rank.copy %w -> %a : memref<64xf32>, memref<64xf32>
    rank.copy %a -> %v {rank.stream = 1 : i64} : memref<64xf32>, memref<64xf32>
    rank.copy %w -> %b : memref<64xf32>, memref<64xf32>
    rank.copy %b -> %w : memref<64xf32>, memref<64xf32>
  }
}
