// Instructions: what the runtime dispatches, in order, on views of buffers.
#ifndef ORRERY_DIALECTS_RANK_INSTRUCTIONS
#define ORRERY_DIALECTS_RANK_INSTRUCTIONS

include "dialects/rank/StructureOps.td"

class Rank_Instruction<string mnemonic, list<Trait> traits = []>
    : Rank_Op<mnemonic, [ParentOneOf<["ProgramOp"]>] # traits>;

def Rank_ViewOp : Rank_Op<"view", [Pure, ParentOneOf<["ProgramOp"]>]> {
  let summary = "Reads part of a buffer as a shape";
  let description = [{
    `offset` counts elements from the buffer's start; strides are the type's.

    Example: `%0 = rank.view @b3 at 0 : memref<64x4x32xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$buffer, I64Attr:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$buffer `at` $offset attr-dict `:` type($result)";
}

def Rank_LaunchOp : Rank_Instruction<"launch", [AttrSizedOperandSegments,
    SingleBlock, NoTerminator]> {
  let summary = "Runs a generated kernel";
  let description = [{
    The region has one tensor argument per input and holds one `dfg.fused` op
    of these arguments, whose results go to the outputs. Equal regions become
    one kernel when the plan is written.

    Example:
    ```
    rank.launch (%x, %b) -> (%x)
        : (memref<64x32xf32>, memref<64x32xf32>) -> memref<64x32xf32> {
    ^bb0(%0: tensor<64x32xf32>, %1: tensor<64x32xf32>):
      %2 = dfg.fused shape [64, 32] ins(%0, %1
          : tensor<64x32xf32>, tensor<64x32xf32>) {
      ^bb0(%3: tensor<64x32xf32>, %4: tensor<64x32xf32>):
        %5 = dfg.add %3, %4 : tensor<64x32xf32>
        dfg.yield %5 : tensor<64x32xf32>
      } : tensor<64x32xf32>
    }
    ```
    - (C1) the region holds one dfg.fused op; (C2) views and tensors agree in
      shape and element type.
  }];
  let arguments = (ins Variadic<AnyMemRef>:$inputs,
                       Variadic<AnyMemRef>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{`(` $inputs `)` `->` `(` $outputs `)` attr-dict `:`
      functional-type($inputs, $outputs) $body}];
  let extraClassDeclaration = "dfg::FusedOp getFused();";
  let hasVerifier = 1;
}

def Rank_GemmOp : Rank_Instruction<"gemm", [AttrSizedOperandSegments]> {
  let summary = "Multiplies matrices";
  let description = [{
    C = alpha op(A) op(B) + beta C, row-major; op(A) is [m, k], op(B) is
    [k, n]; `ld*` are row strides and `stride_*` the distances between `batch`
    products, in elements.

    An epilogue works on x = alpha op(A) op(B) before it is written:
    - `bias`:       C = x + bias, the same for every row of every product
    - `bias_gelu`:  aux = x + bias, C = gelu(aux), in the tanh form; writes aux
    - `gelu_grad`:  C = x gelu'(aux); reads aux

    Example, y = x w^T of 128 rows:
    ```
    rank.gemm %x, %w -> %y {transpose_a = false, transpose_b = true,
        m = 128 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 1 : i64, stride_a = 0 : i64,
        stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<128x32xf32>, memref<96x32xf32> -> memref<128x96xf32>
    ```
    With an epilogue `%x, %w -> %y epilogue bias_gelu bias %b :
    memref<96xf32> aux %z : memref<128x96xf32> {…`.
    With `first_run_overwrites` beta is 0 in the program's first run of a step,
    whatever C had before (pass rank-overwrite-gradients).
    - (C1) an epilogue has beta = 0; (C2) bias and aux are there exactly where
      the epilogue uses them; (C3) bias has n elements of C's type in a row;
      (C4) aux has C's type and layout, in a batch too; (C5) with
      `first_run_overwrites` beta = 1.
  }];
  let arguments = (ins AnyMemRef:$a, AnyMemRef:$b, AnyMemRef:$c,
      Optional<AnyMemRef>:$bias, Optional<AnyMemRef>:$aux,
      BoolAttr:$transpose_a, BoolAttr:$transpose_b, I64Attr:$m, I64Attr:$n,
      I64Attr:$k, I64Attr:$lda, I64Attr:$ldb, I64Attr:$ldc, I64Attr:$batch,
      I64Attr:$stride_a, I64Attr:$stride_b, I64Attr:$stride_c,
      F64Attr:$alpha, F64Attr:$beta,
      DefaultValuedAttr<Rank_EpilogueAttr, "Epilogue::None">:$epilogue,
      UnitAttr:$first_run_overwrites);
  let assemblyFormat = [{$a `,` $b `->` $c (`epilogue` $epilogue^)?
      (`bias` $bias^ `:` type($bias))? (`aux` $aux^ `:` type($aux))? attr-dict
      `:` type($a) `,` type($b) `->` type($c)}];
  let hasVerifier = 1;
}

class Rank_AttentionBase<string mnemonic, list<Trait> traits = []>
    : Rank_Instruction<mnemonic, traits> {
  dag attentionArguments = (ins
      F64Attr:$scale, BoolAttr:$causal, F64Attr:$probability, StrAttr:$stream,
      I64Attr:$layer, Dfg_IndexAttr:$first_sample, I64Attr:$num_samples,
      Dfg_IndexAttr:$first_head, I64Attr:$num_heads);
}
def Rank_AttentionOp : Rank_AttentionBase<"attention"> {
  let summary = "Runs flash-style attention";
  let description = [{
    As `dfg.attention`, on views.

    Example:
    ```
    rank.attention %q, %k, %v -> %o, %lse
        {scale = 0.35 : f64, causal = true, probability = 0.1 : f64,
        stream = "layers.{layer}.attention", layer = 0 : i64,
        first_sample = #dfg.index<0>, num_samples = 2 : i64,
        first_head = #dfg.index<0>, num_heads = 4 : i64}
        : memref<64x2x4x8xf32>, memref<64x2x4x8xf32>,
          memref<64x2x4x8xf32>, memref<64x2x4x8xf32>, memref<2x4x64xf32>
    ```
  }];
  let arguments = !con((ins AnyMemRef:$q, AnyMemRef:$k, AnyMemRef:$v,
      Optional<AnyMemRef>:$document_start, AnyMemRef:$o, AnyMemRef:$lse),
      attentionArguments);
  let assemblyFormat = [{$q `,` $k `,` $v (`documents` $document_start^)? `->`
      $o `,` $lse attr-dict `:` type(operands)}];
}
def Rank_AttentionGradOp : Rank_AttentionBase<"attention_grad"> {
  let summary = "Runs the backward of flash-style attention";
  let description = [{
    As `dfg.attention_grad`, on views.

    Example:
    ```
    rank.attention_grad %q, %k, %v, %o, %lse, %grad_o -> %grad_q, %grad_k,
        %grad_v
        {scale = 0.35 : f64, causal = true, probability = 0.1 : f64,
        stream = "layers.{layer}.attention", layer = 0 : i64,
        first_sample = #dfg.index<0>, num_samples = 2 : i64,
        first_head = #dfg.index<0>, num_heads = 4 : i64}
        : memref<64x2x4x8xf32>, memref<64x2x4x8xf32>,
          memref<64x2x4x8xf32>, memref<64x2x4x8xf32>, memref<2x4x64xf32>,
          memref<64x2x4x8xf32>, memref<64x2x4x8xf32>,
          memref<64x2x4x8xf32>, memref<64x2x4x8xf32>
    ```
  }];
  let arguments = !con((ins AnyMemRef:$q, AnyMemRef:$k, AnyMemRef:$v,
      AnyMemRef:$o, AnyMemRef:$lse, AnyMemRef:$grad_o,
      Optional<AnyMemRef>:$document_start, AnyMemRef:$grad_q,
      AnyMemRef:$grad_k, AnyMemRef:$grad_v), attentionArguments);
  let assemblyFormat = [{$q `,` $k `,` $v `,` $o `,` $lse `,` $grad_o
      (`documents` $document_start^)? `->` $grad_q `,` $grad_k `,` $grad_v
      attr-dict `:` type(operands)}];
}

def Rank_EmbeddingOp : Rank_Instruction<"embedding"> {
  let summary = "Looks up rows of a table";
  let description = [{
    As `dfg.embedding`, on views.

    Example, 96 rows of a table on each rank of tp:
    ```
    rank.embedding %table, %ids -> %x {first_row = #dfg.index<0 + tp * 96>}
        : memref<96x32xf32>, memref<64x2xi32>, memref<64x2x32xf32>
    ```
  }];
  let arguments = (ins AnyMemRef:$table, AnyMemRef:$ids, AnyMemRef:$out,
                       Dfg_IndexAttr:$first_row);
  let assemblyFormat =
      "$table `,` $ids `->` $out attr-dict `:` type(operands)";
}
def Rank_EmbeddingGradOp : Rank_Instruction<"embedding_grad"> {
  let summary = "Adds gradients to the rows that were looked up";
  let description = [{
    grad[ids - first_row] += grad_out; grad is f32.

    Example:
    ```
    rank.embedding_grad %ids, %gx -> %grad {first_row = #dfg.index<0>}
        : memref<64x2xi32>, memref<64x2x32xf32>, memref<96x32xf32>
    ```
  }];
  let arguments = (ins AnyMemRef:$ids, AnyMemRef:$grad_out, AnyMemRef:$grad,
                       Dfg_IndexAttr:$first_row);
  let assemblyFormat =
      "$ids `,` $grad_out `->` $grad attr-dict `:` type(operands)";
}
def Rank_ColumnSumOp : Rank_Instruction<"column_sum"> {
  let summary = "Sums over rows";
  let description = [{
    out[c] (+)= sum over r of in[r, c].

    Example: `rank.column_sum %gy -> %gb {accumulate = true}
        : memref<128x32xf32>, memref<32xf32>`
  }];
  let arguments = (ins AnyMemRef:$in, AnyMemRef:$out, BoolAttr:$accumulate);
  let assemblyFormat = "$in `->` $out attr-dict `:` type(operands)";
}
def Rank_FlatReduceOp : Rank_Instruction<"flat_reduce"> {
  let summary = "Reduces all elements to one f64";
  let description = [{
    Example: `rank.flat_reduce square_sum %g -> %n
        : memref<3072xf32>, memref<f64>`
  }];
  let arguments = (ins Rank_FlatOpAttr:$kind, AnyMemRef:$in, AnyMemRef:$out);
  let assemblyFormat = "$kind $in `->` $out attr-dict `:` type(operands)";
}

def Rank_CollectiveOp : Rank_Instruction<"collective"> {
  let summary = "Exchanges data with all ranks of a communicator";
  let description = [{
    Views are contiguous, but an all_gather of one row along dimension 0 may put
    the members' rows apart: `memref<1x8xf32>` to
    `memref<4x8xf32, strided<[16, 1]>>`.

    Example: `rank.collective all_reduce sum @tp %0 -> %0 {dim = 0 : i64,
        concat = 0 : i64} : memref<8xf32>, memref<8xf32>`
  }];
  let arguments = (ins Rank_CollectiveKindAttr:$kind,
      Dfg_ReductionAttr:$reduction, FlatSymbolRefAttr:$communicator,
      AnyMemRef:$in, AnyMemRef:$out, I64Attr:$dim, I64Attr:$concat);
  let assemblyFormat = [{$kind $reduction $communicator $in `->` $out attr-dict
      `:` type(operands)}];
}

class Rank_TransferOp<string mnemonic> : Rank_Instruction<mnemonic> {
  let arguments = (ins FlatSymbolRefAttr:$communicator, AnyMemRef:$view,
                       I64Attr:$delta, I64Attr:$tag);
  let assemblyFormat = "$communicator $view attr-dict `:` type($view)";
}
def Rank_SendOp : Rank_TransferOp<"send"> {
  let summary = "Sends a view to the stage `delta` away, without waiting";
  let description = [{
    The bytes must stay until the slot is used again.

    Example: `rank.send @pp %y {delta = 1 : i64, tag = 0 : i64}
        : memref<64x2x32xf32>`
  }];
}
def Rank_ReceiveOp : Rank_TransferOp<"receive"> {
  let summary = "Waits for a view from the stage `delta` away";
  let description = [{
    May be posted as soon as its slot is free.

    Example: `rank.receive @pp %x {delta = -1 : i64, tag = 0 : i64}
        : memref<64x2x32xf32>`
  }];
}

def Rank_CopyOp : Rank_Instruction<"copy"> {
  let summary = "Copies one view to another";
  let description = [{
    Shapes are equal, strides may differ.

    Example: `rank.copy %x -> %y : memref<64x32xf32>, memref<64x32xf32>`
  }];
  let arguments = (ins AnyMemRef:$in, AnyMemRef:$out);
  let assemblyFormat = "$in `->` $out attr-dict `:` type(operands)";
}
def Rank_FillOp : Rank_Instruction<"fill"> {
  let summary = "Sets every element of a view";
  let description = "Example: `rank.fill %x {value = 0.0 : f64} : memref<8xf32>`";
  let arguments = (ins AnyMemRef:$out, F64Attr:$value);
  let assemblyFormat = "$out attr-dict `:` type($out)";
}

#endif
