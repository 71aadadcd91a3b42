// Passes of the schedule stage: dataflow becomes programs of rank classes.
#ifndef ORRERY_PASSES_SCHEDULE_PASSES
#define ORRERY_PASSES_SCHEDULE_PASSES

include "mlir/Pass/PassBase.td"

def RankLower : Pass<"rank-lower", "::mlir::ModuleOp"> {
  let summary = "Lowers dfg functions to rank programs over buffers";
  let description = [{
    Every value gets a place: a view of a buffer. Reshapes, slices and
    transposes are views; a matmul whose only user accumulates a gradient adds
    to the gradient's buffer (beta = 1); a result that is only concatenated,
    sent, or written to a bucket is produced there.

    *Before:* class modules with @train, @evaluate, @update, @evaluate_finish,
    local shapes, fused regions, buckets.
    *After:* one `rank.class` per class with buffers (no offsets yet) and the
    programs forward, backward, evaluate, update, evaluate_finish; the
    communicators that they use, in the order in which all ranks create them.
  }];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

def RankOverlapGradients
    : Pass<"rank-overlap-gradients", "::mlir::ModuleOp"> {
  let summary = "Sums gradients over replicas beside the last backward";
  let description = [{
    The update's all-reduce of a gradient becomes all-reduces of pieces, each
    behind the last instruction of the backward that adds to the piece; they run
    in the step's last backward only, on a stream of their own. The wire's time
    for n bytes at bandwidth w hides behind the rest of the backward, all but
    that of the piece that is ready last: piece / w instead of n / w.

    *Before:* @update begins with all_reduce ops of whole gradients.
    *After:* @backward has them, marked `rank.last_run_only`, `rank.stream` 1.
    What spans pipeline stages stays, since stages end at different times.
  }];
  let options = [Option<"pieceBytes", "piece-bytes", "int64_t", "67108864",
                        "Largest piece, in bytes">];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

def RankOverwriteGradients
    : Pass<"rank-overwrite-gradients", "::mlir::ModuleOp"> {
  let summary = "The first product of a step to add to a gradient overwrites it";
  let description = [{
    A product that adds to a gradient, C = A B + C, reads what the step began
    with: zeros, which somebody has written. Where it is the first to touch that
    part of the gradient it becomes C = A B in the program's first run of a step
    and nobody clears C: for n bytes of gradients, n less to write (zeros) and n
    less to read.

    Left alone: products behind another instruction that touches the same bytes
    (of the backward, or of @forward, which runs ahead of it), products of the
    last run only, and C with gaps.

    *Before:* programs of rank-lower and the passes behind it, in their final
    order.
    *After:* such products of @backward have `first_run_overwrites`.

    Example: `rank.gemm %dy, %x -> %gw {beta = 1.0 : f64, …}` becomes
    `rank.gemm %dy, %x -> %gw {beta = 1.0 : f64, first_run_overwrites, …}`.
  }];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

def RankGemmEpilogue : Pass<"rank-gemm-epilogue", "::mlir::ModuleOp"> {
  let summary = "Adds biases and gelus in the product before them";
  let description = [{
    Where the next to read a product is a kernel that adds a bias, takes the tanh
    gelu of that, or multiplies with its derivative, that becomes the product's
    epilogue: the product x is never written and read again.

    | kernel on x = A B               | epilogue    | memory saved              |
    |---------------------------------|-------------|---------------------------|
    | y = x + b                       | `bias`      | write and read of x       |
    | z = x + b, y = gelu(z), z kept  | `bias_gelu` | write and read of x       |
    | z = x + b, y = gelu(z)          | `bias_gelu` | read of x; z in its place |
    | dz = x gelu'(z)                 | `gelu_grad` | write and read of x       |

    What else the kernel computes, such as gelu(z) and partial sums of dz for the
    bias's gradient beside dz, stays a kernel, which reads y, z or dz.

    Left alone, with a remark: products that accumulate, products with another
    reader (a collective), kernels whose memory is touched between the product
    and them, kernels that go on with a result that they do not write, work in
    place or use the erf form, rows of z that are not a multiple of 8 elements,
    which cuBLASLt asks for.

    The kernel rounds x to 16 bits before it adds the bias, the epilogue does
    not.

    *Before:* programs of rank-lower, whose buffers have no offsets.
    *After:* some products have an epilogue; work buffers of their products are
    gone. Only for targets whose device has epilogues.

    Example: with `rank.launch (%b, %x) -> (%y)` of a broadcast and an add,
    ```
    rank.gemm %a, %w -> %x {…
    rank.launch (%b, %x) -> (%y) …
    ```
    becomes `rank.gemm %a, %w -> %y epilogue bias bias %b : memref<96xf32> {…`.
  }];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

def RankChunkCollectives
    : Pass<"rank-chunk-collectives", "::mlir::ModuleOp"> {
  let summary = "Runs gathers and scatters beside the products around them";
  let description = [{
    Under tensor and sequence parallelism an all_gather along the sequence stands
    before a product and a reduce_scatter behind one. Both move to a stream of
    their own (2) and run beside products:

    - in the backward beside products that add to weights' gradients, which can
      wait: first every gather gets the one before it, then every scatter that
      has none left the one before its product;
    - an all_gather whose input is there by then starts ahead of the product
      before it;
    - else, with `pieces`, collective and product are cut: a gather hides behind
      the product of the piece before it, a scatter behind that of the next.

    The backward of a layer, with gx of inputs and gw of weights:
    ```
    before  gather gx2 gw2 gx1 gw1 scatter | gather gx0 gw0 …
    stream 0       gw3 gx2 gx1     gw2     |        gw1 gx0 …
    stream 2       gather          scatter |        gather
    ```

    With w the time on the wire and p pieces, w / p is left to wait for instead
    of w. A piece is rows of every member's part: its product is a batch with a
    product for each member and one B, an epilogue stays, a gathered row goes to
    its place in the whole value, so that other readers (weights' gradients)
    find that as before. What a scatter reads nobody else does, so it is written
    piece by piece.

    | stream 0 |      | product 0 | product 1 | product 2 |
    |----------|------|-----------|-----------|-----------|
    | stream 2 | g 0  | gather 1  | gather 2  |           |

    There are `pieces` pieces, or the next smaller number that divides a part's
    positions. Each takes a launch and a message more, and products of few rows
    fill a device badly.

    Calls of a communicator run in the order of the program, so all those of
    the communicators concerned go to stream 2.

    *Before:* programs of rank-lower and rank-gemm-epilogue.
    *After:* collectives with `rank.stream` 2, some in pieces, and products in
    batches. Nothing changes without collectives along dimension 0.

    Example, two pieces of [4, 8] of two members (views and sizes left out):
    ```
    rank.collective all_gather sum @tp %part -> %whole
    rank.gemm %whole, %w -> %y
    ```
    becomes
    ```
    rank.collective all_gather sum @tp %part0 -> %whole0 {rank.stream = 2 : i64}
        : memref<1x2x8xf32>, memref<2x2x8xf32, strided<[32, 8, 1]>>
    rank.collective all_gather sum @tp %part1 -> %whole1 {rank.stream = 2 : i64}
    rank.gemm %whole0, %w -> %y0 {m = 2 : i64, batch = 2 : i64, …
    rank.gemm %whole1, %w -> %y1 {m = 2 : i64, batch = 2 : i64, …
    ```
  }];
  let options = [
    Option<"pieces", "pieces", "int64_t", "1",
           "Most pieces of a collective; 1: whole">];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

def RankSchedule : Pass<"rank-schedule", "::mlir::ModuleOp"> {
  let summary = "Orders the programs of a step over microbatches (1F1B)";
  let description = [{
    Stage r of p runs min(p - r - 1, m) forwards ahead, then alternates one
    forward with one backward, then drains. p = 3, m = 4:

    ```
    stage 0  F0 F1 F2       B0 F3 B1    B2    B3
    stage 1     F0 F1    B0 F2 B1 F3 B2    B3
    stage 2        F0 B0 F1 B1 F2 B2 F3 B3
    ```

    At most p - r microbatches are in flight on stage r: the number of slots of
    its stash buffers. The schedule is a function of m, so that a batch-size
    ramp-up needs no other plan; `microbatches` is the largest m.

    *Before:* `rank.class` ops with programs. *After:* schedules "train" and
    "evaluate"; members' warm-ups and slots.
  }];
  let options = [Option<"microbatches", "microbatches", "int64_t", "1",
                        "Largest number of microbatches of a step">];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

#endif
