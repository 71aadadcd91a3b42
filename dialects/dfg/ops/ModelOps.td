// The vocabulary of models: products, lookups, norms, attention.
#ifndef ORRERY_DIALECTS_DFG_MODEL
#define ORRERY_DIALECTS_DFG_MODEL

include "dialects/dfg/ops/ElementwiseOps.td"

def Dfg_MatmulOp : Dfg_Op<"matmul", [Pure, Shardable, Differentiable, Costed]> {
  let summary = "Contracts two tensors as an equation says";
  let description = [{
    One letter per dimension; letters that the result lacks are summed over.
    Costs 2 flops per combination of all letters. The gradients are again
    contractions: with y = matmul "ac,bc->ab", da = matmul "ab,bc->ac"(dy, b)
    and db = matmul "ab,ac->bc"(dy, a). Linear in each operand. Splitting a
    letter of the result splits the result, splitting a contracted one leaves it
    partial: a column-parallel weight splits o of "sbi,oi->sbo", a row-parallel
    one i, and no other rule is needed.

    Sums are taken in f32 for operands of 16 bits; the result is rounded once.

    Example: `%0 = dfg.matmul "sbi,oi->sbo" %x, %w
        : tensor<64x4x32xf32>, tensor<96x32xf32> -> tensor<64x4x96xf32>`
    - (C1) the equation has two operands and one result whose ranks fit;
    - (C2) a letter has one size; (C3) no letter occurs twice in one tensor;
    - (C4) every letter of the result occurs in an operand;
    - (C5) operands have one element type, the result has it too or f32.
  }];
  let arguments = (ins StrAttr:$equation, Dfg_Float:$lhs,
                       Dfg_Float:$rhs);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = [{$equation $lhs `,` $rhs attr-dict `:` type($lhs) `,`
                         type($rhs) `->` type($result)}];
  let hasVerifier = 1;
}

def Dfg_EmbeddingOp : Dfg_Op<"embedding", [Pure, ShardableWithOffsets,
                                           Differentiable]> {
  let summary = "Looks up rows of a table";
  let description = [{
    result[…, h] = table[ids[…] - first_row, h], zero where the row is not in
    the table. Splitting the rows therefore leaves the result partial (sum),
    with `first_row` the first row of the shard; no rank needs a mask.
    Backward: `dfg.embedding_grad`.

    Example: `%0 = dfg.embedding %table, %ids {first_row = #dfg.index<0>}
        : tensor<384x32xf32>, tensor<64x4xi32> -> tensor<64x4x32xf32>`
    - (C1) table has two dimensions; (C2) result = shape of ids + row size;
    - (C3) result and table have one element type.
  }];
  let arguments = (ins Dfg_Float:$table, Dfg_Ids:$ids,
                       Dfg_IndexAttr:$first_row);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = [{$table `,` $ids attr-dict `:` type($table) `,`
                         type($ids) `->` type($result)}];
  let hasVerifier = 1;
}

def Dfg_EmbeddingGradOp : Dfg_Op<"embedding_grad", [Pure,
                                                    ShardableWithOffsets]> {
  let summary = "Adds gradients to the rows that were looked up";
  let description = [{
    result[r, h] = sum of grad[i, h] over all i with ids[i] - first_row = r.
    Splitting the rows of the result needs no collective: each rank adds what
    falls into its shard. Splitting the positions leaves the result partial.
    The sums of a row are taken in the order of i, so that two runs agree to
    the bit.

    Example: `%0 = dfg.embedding_grad %ids, %dy {first_row = #dfg.index<0>}
        : tensor<64x4xi32>, tensor<64x4x32xf32> -> tensor<384x32xf32>`
    - (C1) result has two dimensions; (C2) grad = shape of ids + row size.
  }];
  let arguments = (ins Dfg_Ids:$ids, Dfg_Float:$grad,
                       Dfg_IndexAttr:$first_row);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = [{$ids `,` $grad attr-dict `:` type($ids) `,`
                         type($grad) `->` type($result)}];
  let hasVerifier = 1;
}

def Dfg_PickOp : Dfg_Op<"pick", [Pure, Fusable, ShardableWithOffsets,
                                 Differentiable]> {
  let summary = "Picks one element of each row";
  let description = [{
    result[…] = operand[…, ids[…] - first], zero where that is out of the row:
    splitting the row leaves the result partial (sum). It takes the logit of the
    label in a cross entropy. Backward: `dfg.pick_grad`.

    Example: `%0 = dfg.pick %z, %labels {first = #dfg.index<0>}
        : tensor<64x4x384xf32>, tensor<64x4xi32> -> tensor<64x4xf32>`
    - (C1) operand = shape of ids + row size; (C2) result = shape of ids;
    - (C3) element types agree.
  }];
  let arguments = (ins Dfg_Float:$operand, Dfg_Ids:$ids,
                       Dfg_IndexAttr:$first);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = [{$operand `,` $ids attr-dict `:` type($operand) `,`
                         type($ids) `->` type($result)}];
  let hasVerifier = 1;
}

def Dfg_PickGradOp : Dfg_Op<"pick_grad", [Pure, Fusable,
                                          ShardableWithOffsets]> {
  let summary = "Places a value at one element of each row";
  let description = [{
    result[…, v] = grad[…] where v = ids[…] - first, else 0. Splitting v splits
    the result; nothing is reduced.

    Example: `%0 = dfg.pick_grad %labels, %d {first = #dfg.index<0>}
        : tensor<64x4xi32>, tensor<64x4xf32> -> tensor<64x4x384xf32>`
    - (C1) grad = shape of ids; (C2) result = shape of ids + row size;
    - (C3) element types agree.
  }];
  let arguments = (ins Dfg_Ids:$ids, Dfg_Float:$grad,
                       Dfg_IndexAttr:$first);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = [{$ids `,` $grad attr-dict `:` type($ids) `,`
                         type($grad) `->` type($result)}];
  let hasVerifier = 1;
}

def Dfg_LayerNormOp : Dfg_Op<"layer_norm", [Pure, Shardable, Differentiable]> {
  let summary = "Normalises rows, scales and shifts them";
  let description = [{
    mean = avg_h x, rstd = 1 / sqrt(avg_h (x - mean)^2 + epsilon),
    result = gamma (x - mean) rstd + beta, all in f32. Rows may be split, the
    features h are whole. Backward: `dfg.layer_norm_grad` from x, mean and rstd;
    mean and rstd themselves have none.

    Example: `%y, %mean, %rstd = dfg.layer_norm %x, %g, %b
        {epsilon = 1.0e-5 : f64} : tensor<64x4x32xf32>, tensor<32xf32>, tensor<32xf32>
        -> tensor<64x4x32xf32>, tensor<64x4xf32>, tensor<64x4xf32>`
    - (C1) gamma and beta are as long as a row; (C2) mean and rstd are f32 (f64
      for an operand of f64) of the operand's shape without the last dimension;
    - (C3) the result has the operand's type; (C4) epsilon is not negative.
  }];
  let arguments = (ins Dfg_Float:$operand, Dfg_Float:$gamma,
                       Dfg_Float:$beta, F64Attr:$epsilon);
  let results = (outs Dfg_Float:$result, Dfg_Float:$mean,
                      Dfg_Float:$rstd);
  let assemblyFormat = [{$operand `,` $gamma `,` $beta attr-dict `:`
      type(operands) `->` type(results)}];
  let hasVerifier = 1;
}

def Dfg_LayerNormGradOp : Dfg_Op<"layer_norm_grad", [Pure, Shardable]> {
  let summary = "Takes the gradients of layer_norm";
  let description = [{
    With xhat = (x - mean) rstd and g = grad gamma:
    grad_operand = rstd (g - avg_h g - xhat avg_h(g xhat)),
    grad_gamma = sum over rows of grad xhat, grad_beta = sum over rows of grad.
    Splitting the rows leaves grad_gamma and grad_beta partial: under sequence
    parallelism, one all-reduce a step. Linear in grad.

    Example: `%dx, %dg, %db = dfg.layer_norm_grad %dy, %x, %mean, %rstd, %g
        : tensor<64x4x32xf32>, tensor<64x4x32xf32>, tensor<64x4xf32>,
          tensor<64x4xf32>, tensor<32xf32>
        -> tensor<64x4x32xf32>, tensor<32xf32>, tensor<32xf32>`
    - (C1) gamma, grad_gamma and grad_beta are as long as a row; (C2) mean and
      rstd as in `dfg.layer_norm`; (C3) grad and grad_operand have the operand's
      type.
  }];
  let arguments = (ins Dfg_Float:$grad, Dfg_Float:$operand,
                       Dfg_Float:$mean, Dfg_Float:$rstd,
                       Dfg_Float:$gamma);
  let results = (outs Dfg_Float:$grad_operand, Dfg_Float:$grad_gamma,
                      Dfg_Float:$grad_beta);
  let assemblyFormat = [{$grad `,` $operand `,` $mean `,` $rstd `,` $gamma
      attr-dict `:` type(operands) `->` type(results)}];
  let hasVerifier = 1;
}

class Dfg_AttentionBase<string mnemonic, list<Trait> traits>
    : Dfg_Op<mnemonic, [Pure, ShardableWithOffsets, Costed] # traits> {
  dag attentionArguments = (ins
      F64Attr:$scale, BoolAttr:$causal, F64Attr:$probability, StrAttr:$stream,
      I64Attr:$layer, Dfg_IndexAttr:$first_sample, I64Attr:$num_samples,
      Dfg_IndexAttr:$first_head, I64Attr:$num_heads);
}

def Dfg_AttentionOp : Dfg_AttentionBase<"attention", [Differentiable]> {
  let summary = "Attends: softmax of scaled query-key products times values";
  let description = [{
    q, k, v, result: [s, b, n, d]. For each sample and head:
    P = softmax(scale q k^T + mask), result = dropout(P) v,
    lse[b, n, s] = log of the softmax's denominator. Masked: key > query when
    `causal`, and key < document_start[query, sample] when given; a query that
    sees nothing gives zeros and lse = -infinity. The dropout element (sample,
    head, query, key) has the linear index (((microbatch * num_samples + sample
    + first_sample) * num_heads + head + first_head) * s + query) * s + key; see
    `dfg.dropout`.

    4 s^2 b n d flops, half of it when causal; the s × s matrix never exists in
    memory. Samples and heads may be split, positions and features are whole.

    Example:
    ```
    %o, %lse = dfg.attention %q, %k, %v {scale = 0.25 : f64, causal = true,
        probability = 0.0 : f64, stream = "layers.{layer}.attention.dropout",
        layer = 0 : i64, first_sample = #dfg.index<0>, num_samples = 4 : i64,
        first_head = #dfg.index<0>, num_heads = 2 : i64}
        : (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>)
        -> (tensor<64x4x2x16xf32>, tensor<4x2x64xf32>)
    ```
    - (C1) q, k, v, result are 4-d of one type; (C2) lse is [b, n, s];
    - (C3) document_start is [s, b]; (C4) 0 <= probability < 1;
    - (C5) there are at most num_samples samples and num_heads heads.
  }];
  let arguments = !con((ins Dfg_Float:$q, Dfg_Float:$k,
      Dfg_Float:$v, Optional<Dfg_Ids>:$document_start),
      attentionArguments);
  let results = (outs Dfg_Float:$result, Dfg_Float:$lse);
  let assemblyFormat = [{$q `,` $k `,` $v (`documents` $document_start^)?
      attr-dict `:` functional-type(operands, results)}];
  let hasVerifier = 1;
}

def Dfg_AttentionGradOp : Dfg_AttentionBase<"attention_grad", []> {
  let summary = "Takes the gradients of attention";
  let description = [{
    Recomputes P tile by tile from q, k and lse:
    dV = dropout(P)^T dO, dP = dropout(dO V^T), D = sum_d(dO o O),
    dS = P (dP - D), dQ = scale dS K, dK = scale dS^T Q.
    Five products where `dfg.attention` has two. Linear in grad.

    Example:
    ```
    %dq, %dk, %dv = dfg.attention_grad %q, %k, %v, %o, %lse, %do
        {scale = 0.25 : f64, causal = true, probability = 0.0 : f64,
        stream = "layers.{layer}.attention.dropout", layer = 0 : i64,
        first_sample = #dfg.index<0>, num_samples = 4 : i64,
        first_head = #dfg.index<0>, num_heads = 2 : i64}
        : (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>,
           tensor<64x4x2x16xf32>, tensor<4x2x64xf32>, tensor<64x4x2x16xf32>)
        -> (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>)
    ```
    - (C1) q, k, v, result, grad and the results have one 4-d type; (C2) to
      (C5) as `dfg.attention`.
  }];
  let arguments = !con((ins Dfg_Float:$q, Dfg_Float:$k,
      Dfg_Float:$v, Dfg_Float:$result, Dfg_Float:$lse,
      Dfg_Float:$grad, Optional<Dfg_Ids>:$document_start),
      attentionArguments);
  let results = (outs Dfg_Float:$grad_q, Dfg_Float:$grad_k,
                      Dfg_Float:$grad_v);
  let assemblyFormat = [{$q `,` $k `,` $v `,` $result `,` $lse `,` $grad
      (`documents` $document_start^)? attr-dict `:`
      functional-type(operands, results)}];
  let hasVerifier = 1;
}

#endif
