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

    Example: see test/dialects/rank/instructions.mlir.
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

def Rank_GemmOp : Rank_Instruction<"gemm"> {
  let summary = "Multiplies matrices";
  let description = [{
    C = alpha op(A) op(B) + beta C, row-major; op(A) is [m, k], op(B) is
    [k, n]; `ld*` are row strides and `stride_*` the distances between `batch`
    products, in elements.

    Example: see test/dialects/rank/instructions.mlir.
  }];
  let arguments = (ins AnyMemRef:$a, AnyMemRef:$b, AnyMemRef:$c,
      BoolAttr:$transpose_a, BoolAttr:$transpose_b, I64Attr:$m, I64Attr:$n,
      I64Attr:$k, I64Attr:$lda, I64Attr:$ldb, I64Attr:$ldc, I64Attr:$batch,
      I64Attr:$stride_a, I64Attr:$stride_b, I64Attr:$stride_c,
      F64Attr:$alpha, F64Attr:$beta);
  let assemblyFormat = [{$a `,` $b `->` $c attr-dict `:` type($a) `,` type($b)
      `->` type($c)}];
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
  let description = "As `dfg.attention`, on views.";
  let arguments = !con((ins AnyMemRef:$q, AnyMemRef:$k, AnyMemRef:$v,
      Optional<AnyMemRef>:$document_start, AnyMemRef:$o, AnyMemRef:$lse),
      attentionArguments);
  let assemblyFormat = [{$q `,` $k `,` $v (`documents` $document_start^)? `->`
      $o `,` $lse attr-dict `:` type(operands)}];
}
def Rank_AttentionGradOp : Rank_AttentionBase<"attention_grad"> {
  let summary = "Runs the backward of flash-style attention";
  let description = "As `dfg.attention_grad`, on views.";
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
  let description = "As `dfg.embedding`, on views.";
  let arguments = (ins AnyMemRef:$table, AnyMemRef:$ids, AnyMemRef:$out,
                       Dfg_IndexAttr:$first_row);
  let assemblyFormat =
      "$table `,` $ids `->` $out attr-dict `:` type(operands)";
}
def Rank_EmbeddingGradOp : Rank_Instruction<"embedding_grad"> {
  let summary = "Adds gradients to the rows that were looked up";
  let description = "grad[ids - first_row] += grad_out; grad is f32.";
  let arguments = (ins AnyMemRef:$ids, AnyMemRef:$grad_out, AnyMemRef:$grad,
                       Dfg_IndexAttr:$first_row);
  let assemblyFormat =
      "$ids `,` $grad_out `->` $grad attr-dict `:` type(operands)";
}
def Rank_ColumnSumOp : Rank_Instruction<"column_sum"> {
  let summary = "Sums over rows";
  let description = "out[c] (+)= sum over r of in[r, c].";
  let arguments = (ins AnyMemRef:$in, AnyMemRef:$out, BoolAttr:$accumulate);
  let assemblyFormat = "$in `->` $out attr-dict `:` type(operands)";
}
def Rank_FlatReduceOp : Rank_Instruction<"flat_reduce"> {
  let summary = "Reduces all elements to one f64";
  let description = "Example: `rank.flat_reduce square_sum %0 -> %1 : …`.";
  let arguments = (ins Rank_FlatOpAttr:$kind, AnyMemRef:$in, AnyMemRef:$out);
  let assemblyFormat = "$kind $in `->` $out attr-dict `:` type(operands)";
}

def Rank_CollectiveOp : Rank_Instruction<"collective"> {
  let summary = "Exchanges data with all ranks of a communicator";
  let description = [{
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
  let description = "The bytes must stay until the slot is used again.";
}
def Rank_ReceiveOp : Rank_TransferOp<"receive"> {
  let summary = "Waits for a view from the stage `delta` away";
  let description = "May be posted as soon as its slot is free.";
}

def Rank_CopyOp : Rank_Instruction<"copy"> {
  let summary = "Copies one view to another";
  let description = "Shapes are equal, strides may differ.";
  let arguments = (ins AnyMemRef:$in, AnyMemRef:$out);
  let assemblyFormat = "$in `->` $out attr-dict `:` type(operands)";
}
def Rank_FillOp : Rank_Instruction<"fill"> {
  let summary = "Sets every element of a view";
  let description = "Example: `rank.fill %0 {value = 0.0 : f64} : …`.";
  let arguments = (ins AnyMemRef:$out, F64Attr:$value);
  let assemblyFormat = "$out attr-dict `:` type($out)";
}

#endif
