// RUN: orrery-opt --rank-memory -verify-diagnostics %s
// Layouts that cannot be right.

// A work buffer shares its bytes, so it cannot carry a value to another program.
rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  // expected-error@+1 {{'rank.buffer' op is work of program @forward and read by @backward; make it a stash}}
  rank.buffer work @a : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %w = rank.view @w at 0 : memref<64xf32>
    %a = rank.view @a at 0 : memref<64xf32>
    rank.copy %w -> %a : memref<64xf32>, memref<64xf32>
  }
  rank.program @backward {
    %w = rank.view @w at 0 : memref<64xf32>
    %a = rank.view @a at 0 : memref<64xf32>
    rank.copy %a -> %w : memref<64xf32>, memref<64xf32>
  }
}
