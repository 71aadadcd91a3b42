// Attributes of the dfg dialect: mesh, sharding, index and reduction kinds.
#ifndef ORRERY_DIALECTS_DFG_ATTRIBUTES
#define ORRERY_DIALECTS_DFG_ATTRIBUTES

include "dialects/dfg/DfgDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Dfg_Reduction : I32EnumAttr<"Reduction", "how partial values combine", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::orrery::dfg";
  let genSpecializedAttr = 0;
}
def Dfg_ReductionAttr : EnumAttr<Dfg_Dialect, Dfg_Reduction, "reduction"> {
  let assemblyFormat = "$value";
}

def Dfg_MeshAttr : AttrDef<Dfg_Dialect, "Mesh"> {
  let mnemonic = "mesh";
  let summary = "The ranks as a grid with named axes, major to minor";
  let description = [{
    Example: `#dfg.mesh<pp = 2, dp = 1, tp = 4>`. The rank at coordinates
    (p, d, t) is (p * 1 + d) * 4 + t. Constraints:
    - (C1) axis names are unique; (C2) sizes are at least 1.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names,
                        ArrayRefParameter<"int64_t">:$sizes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Size of `axis`; 1 when the mesh has no such axis.
    int64_t getSize(::mlir::StringAttr axis) const;
    /// Product of the sizes of `axes`.
    int64_t getSize(::llvm::ArrayRef<::mlir::StringAttr> axes) const;
    int64_t getNumRanks() const;
    bool hasAxis(::mlir::StringAttr axis) const;
  }];
}

def Dfg_ShardingAttr : AttrDef<Dfg_Dialect, "Sharding"> {
  let mnemonic = "sharding";
  let summary = "Where a tensor lies on the mesh";
  let description = [{
    Per dimension the axes that split it, major to minor, and the set of axes
    over which the value is *partial*: the tensor is the sum (or maximum) of
    the pieces on those axes. Axes not named hold replicas.

    Per dimension one axis, several joined by ':', or '_' for none. Examples:
    `#dfg.sharding<[_, dp, tp]>`, `#dfg.sharding<[dp:tp, _]>`,
    `#dfg.sharding<[_, dp, _], partial sum [tp]>`. Constraints:
    - (C1) an axis occurs at most once.
  }];
  // dims: one array of StringAttr per dimension; partial: array of StringAttr.
  let parameters = (ins "::mlir::ArrayAttr":$dims, "::mlir::ArrayAttr":$partial,
                        "::orrery::dfg::Reduction":$reduction);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Dfg_IndexAttr : AttrDef<Dfg_Dialect, "Index"> {
  let mnemonic = "index";
  let summary = "An integer that is affine in the mesh coordinate";
  let description = [{
    constant + sum over axes of coordinate(axis) * stride. Example:
    `#dfg.index<3 + tp * 192>`: 3 on the first rank of axis tp, 195 on the
    second. It is how ranks of one class differ.
  }];
  // terms: axis name -> i64 stride.
  let parameters = (ins "int64_t":$constant, "::mlir::DictionaryAttr":$terms);
  let hasCustomAssemblyFormat = 1;
  let builders = [AttrBuilder<(ins "int64_t":$constant), [{
    return $_get($_ctxt, constant, ::mlir::DictionaryAttr::get($_ctxt));
  }]>];
  let extraClassDeclaration = [{
    bool isZero() const { return getConstant() == 0 && getTerms().empty(); }
    /// This index plus coordinate(axis) * stride.
    IndexAttr plusTerm(::mlir::StringAttr axis, int64_t stride) const;
  }];
}

def Dfg_IndexArray : TypedArrayAttrBase<Dfg_IndexAttr, "indices">;

#endif
