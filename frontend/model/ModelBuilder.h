// Writes the layers that models are made of into the dfg dialect.
#ifndef ORRERY_FRONTEND_MODEL_MODELBUILDER_H
#define ORRERY_FRONTEND_MODEL_MODELBUILDER_H

#include "dialects/dfg/DfgDialect.h"
#include "frontend/job/Job.pb.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace orrery::frontend {

/// How tensor parallelism will split a parameter (`dfg.parameter`, role).
enum class Role { Column, Row, Vocabulary, Replicated };

/// The value of a parameter before training, and whether it decays.
struct Initial {
  double deviation = 0; // of N(0, deviation); 0: the constant `value`
  double value = 0;
  bool decays = true;
};

/// Builds the functions of one model. Every op gets the layer of the current
/// scope; every parameter is declared where it is first read.
///
/// Activations are [sequence, sample, feature]; `sample` counts the
/// microbatch of all data-parallel replicas.
class ModelBuilder {
public:
  ModelBuilder(mlir::ModuleOp module, const job::JobSpec &job);

  /// Starts a function with the job's inputs as arguments. Dropout is emitted
  /// when `training` only.
  void beginFunction(llvm::StringRef name, bool training);
  void endFunction();
  bool isTraining() const { return training; }

  /// Ops that follow belong to `layer`; parameters get `prefix`, in which
  /// `{layer}` stands for the layer's global index.
  void setScope(int64_t layer, llvm::StringRef prefix);

  /// The argument that the data loader fills under `name`.
  mlir::Value input(llvm::StringRef name) const;

  /// Reads parameter `name` of the current scope, of the job's type.
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                     Role role, Initial initial);

  /// x[s, b, i] · w[o, i]ᵀ with parameter `name`.weight; no bias.
  mlir::Value linear(mlir::Value x, llvm::StringRef name, int64_t outSize,
                     Role role, double deviation);
  /// x + `name`.bias, along the last dimension.
  mlir::Value addBias(mlir::Value x, llvm::StringRef name, Role role);
  /// Layer norm over the last dimension, computed in f32; the result has the
  /// job's type.
  mlir::Value norm(mlir::Value x, llvm::StringRef name);
  /// Dropout of x[s, b, h]; x itself outside training or at probability 0.
  mlir::Value dropout(mlir::Value x, double probability,
                      llvm::StringRef stream);
  /// x in another element type; x itself when it has it.
  mlir::Value cast(mlir::Value x, mlir::Type elementType);
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  mlir::Value reduce(dfg::Reduction kind, mlir::Value x,
                     llvm::ArrayRef<int64_t> dims);
  /// Repeats x along the dimensions of `shape` that `dims` does not name.
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> dims,
                        llvm::ArrayRef<int64_t> shape);

  /// Creates an op of the current layer.
  template <typename Op, typename... Args> Op create(Args &&...args) {
    Op op = Op::create(builder, loc, std::forward<Args>(args)...);
    op->setAttr(dfg::kLayerAttr, builder.getI64IntegerAttr(layer));
    return op;
  }

  const job::JobSpec &getJob() const { return job; }
  mlir::OpBuilder &getBuilder() { return builder; }
  /// Samples of a microbatch over all replicas.
  int64_t getBatch() const;
  /// The element type of parameters and activations.
  mlir::Type getType();
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape,
                                mlir::Type elementType = {});
  int64_t getLayer() const { return layer; }
  dfg::IndexAttr zeroIndex();

private:
  mlir::ModuleOp module;
  const job::JobSpec &job;
  mlir::OpBuilder builder;
  mlir::SymbolTable symbols;
  mlir::Location loc;
  mlir::Operation *lastParameter = nullptr;
  mlir::func::FuncOp function;
  llvm::StringMap<mlir::Value> inputs;
  bool training = false;
  int64_t layer = -1;
  std::string prefix;
};

/// Element type and shape of a ranked tensor value.
mlir::RankedTensorType typeOf(mlir::Value value);

} // namespace orrery::frontend

#endif // ORRERY_FRONTEND_MODEL_MODELBUILDER_H
