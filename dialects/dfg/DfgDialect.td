// The dfg dialect: training programs as dataflow over tensors on a mesh.
#ifndef ORRERY_DIALECTS_DFG_DIALECT
#define ORRERY_DIALECTS_DFG_DIALECT

include "mlir/IR/OpBase.td"

def Dfg_Dialect : Dialect {
  let name = "dfg";
  let cppNamespace = "::orrery::dfg";
  let summary = "Dataflow of a training step over tensors on a mesh of ranks";
  let description = [{
    Values are ranked tensors. Until `dfg-localize` a type is the *global*
    shape; after it, the shape that one rank holds. The state of a value on the
    mesh is a `#dfg.sharding` kept in the discardable attribute `dfg.sharding`
    (one per result, in an array; on function arguments as an argument
    attribute).

    Discardable attributes used across ops:
    - `dfg.mesh` on the outermost module: the mesh.
    - `dfg.layer` (i64): transformer layer an op belongs to, from 0; -1 before
      the first layer, the number of layers behind the last. After `dfg-stage`
      relative to the first layer of the stage.
    - `dfg.input` (string) on arguments: the name of a tensor that the data
      loader fills for each microbatch.
    - `dfg.stages`, `dfg.first_layers` (dense i64 arrays) on the module of a
      rank class: the pipeline stages that run it.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = "void registerAttributes();";
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

/// Every tensor of the dialect has a static shape.
def Dfg_Float : StaticShapeTensorOf<[F64, F32, F16, BF16]>;
def Dfg_Ids : StaticShapeTensorOf<[I32]>;
def Dfg_Tensor : StaticShapeTensorOf<[F64, F32, F16, BF16, I32]>;

class Dfg_Op<string mnemonic, list<Trait> traits = []>
    : Op<Dfg_Dialect, mnemonic, traits>;

#endif
