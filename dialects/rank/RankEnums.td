// Enumerations of the rank dialect, apart so that their code is generated once.
#ifndef ORRERY_DIALECTS_RANK_ENUMS
#define ORRERY_DIALECTS_RANK_ENUMS

include "dialects/rank/RankDialect.td"
include "mlir/IR/EnumAttr.td"

def Rank_BufferKind : I32EnumAttr<"BufferKind", "what a buffer is for", [
    I32EnumAttrCase<"Weight", 1, "weight">,
    I32EnumAttrCase<"Gradient", 2, "gradient">,
    I32EnumAttrCase<"Optimizer", 3, "optimizer">,
    I32EnumAttrCase<"Stash", 4, "stash">,
    I32EnumAttrCase<"Work", 5, "work">,
    I32EnumAttrCase<"Input", 6, "input">,
    I32EnumAttrCase<"Boundary", 7, "boundary">,
    I32EnumAttrCase<"Scalar", 8, "scalar">]> {
  let cppNamespace = "::orrery::rank";
  let genSpecializedAttr = 0;
}
def Rank_Count : I32EnumAttr<"Count", "how often a phase repeats", [
    I32EnumAttrCase<"First", 0, "first">, I32EnumAttrCase<"Rest", 1, "rest">,
    I32EnumAttrCase<"All", 2, "all">, I32EnumAttrCase<"Once", 3, "once">]> {
  let cppNamespace = "::orrery::rank";
  let genSpecializedAttr = 0;
}
def Rank_BufferKindAttr : EnumAttr<Rank_Dialect, Rank_BufferKind, "kind"> {
  let assemblyFormat = "$value";
}
def Rank_CountAttr : EnumAttr<Rank_Dialect, Rank_Count, "count"> {
  let assemblyFormat = "$value";
}
def Rank_FlatOp : I32EnumAttr<"FlatOp", "a reduction over all elements", [
    I32EnumAttrCase<"SquareSum", 0, "square_sum">,
    I32EnumAttrCase<"CountZeros", 1, "count_zeros">,
    I32EnumAttrCase<"CountNotFinite", 2, "count_not_finite">]> {
  let cppNamespace = "::orrery::rank";
  let genSpecializedAttr = 0;
}
def Rank_CollectiveKind : I32EnumAttr<"CollectiveKind", "a collective", [
    I32EnumAttrCase<"AllReduce", 0, "all_reduce">,
    I32EnumAttrCase<"AllGather", 1, "all_gather">,
    I32EnumAttrCase<"ReduceScatter", 2, "reduce_scatter">,
    I32EnumAttrCase<"AllToAll", 3, "all_to_all">,
    I32EnumAttrCase<"AllSlice", 4, "all_slice">]> {
  let cppNamespace = "::orrery::rank";
  let genSpecializedAttr = 0;
}
def Rank_Epilogue : I32EnumAttr<"Epilogue", "what a product ends with", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Bias", 1, "bias">,
    I32EnumAttrCase<"BiasGelu", 2, "bias_gelu">,
    I32EnumAttrCase<"GeluGrad", 3, "gelu_grad">]> {
  let cppNamespace = "::orrery::rank";
  let genSpecializedAttr = 0;
}
def Rank_EpilogueAttr : EnumAttr<Rank_Dialect, Rank_Epilogue, "epilogue"> {
  let assemblyFormat = "$value";
}
def Rank_FlatOpAttr : EnumAttr<Rank_Dialect, Rank_FlatOp, "flat_op"> {
  let assemblyFormat = "$value";
}
def Rank_CollectiveKindAttr
    : EnumAttr<Rank_Dialect, Rank_CollectiveKind, "collective"> {
  let assemblyFormat = "$value";
}

#endif
