// A reference interpreter of dfg programs: N simulated ranks in lockstep, every
// number a double, every op written for reading and not for speed.
//
// It answers one question: does the partitioned program mean what the global
// one means? A test loads the same global parameters and inputs into both,
// runs both, and compares what `assemble` puts together.
//
//   Interpreter global(globalModule), local(partitionedModule);
//   for (Interpreter *one : {&global, &local}) {
//     ASSERT_TRUE(succeeded(one->setParameters(weights)));
//     one->setScalar("loss_seed", 1);
//     ASSERT_TRUE(succeeded(one->run("train", {{"tokens", tokens}, …})));
//   }
//   EXPECT_LT(distance(*local.getGradient("w"), *global.getGradient("w")),
//   1e-9);
#ifndef ORRERY_TEST_INTERPRETER_INTERPRETER_H
#define ORRERY_TEST_INTERPRETER_INTERPRETER_H

#include "test/interpreter/Evaluate.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace orrery::interpreter {

/// What one rank remembers between runs, by symbol and metric name.
struct RankState {
  llvm::StringMap<Tensor> parameters;
  llvm::StringMap<Tensor> gradients;
  llvm::StringMap<double> metrics;
  /// Optimizer states: "<bucket>.<state>".
  llvm::StringMap<Tensor> states;
};

class Interpreter {
public:
  /// `module` carries the mesh (`dfg.mesh`). Its functions and parameters are
  /// either in it, then every rank runs them; or in one module per rank class
  /// (`dfg.stages`), then a rank runs those of the class that has its
  /// coordinate on axis pp.
  explicit Interpreter(mlir::ModuleOp module);

  dfg::MeshAttr getMesh() const { return mesh; }
  int64_t getNumRanks() const { return static_cast<int64_t>(ranks.size()); }
  /// The module whose functions `rank` runs.
  mlir::ModuleOp getProgram(int64_t rank) { return ranks[rank].program; }
  RankState &getState(int64_t rank) { return ranks[rank].state; }

  /// Sets the number that `dfg.scalar` reads.
  void setScalar(llvm::StringRef name, double value) { scalars[name] = value; }
  /// Index of the microbatch that the next run works on, for dropout.
  void setMicrobatch(int64_t index);
  /// Sets gradients and metrics to zero, as at the start of a step.
  void zeroGradients();

  /// Gives every rank its part of each parameter. `global` is by checkpoint
  /// name, with the global layer for "{layer}". Fails naming a parameter that
  /// is missing or of another shape.
  mlir::LogicalResult setParameters(const llvm::StringMap<Tensor> &global);
  /// Checkpoint name and global shape of every parameter.
  llvm::StringMap<Shape> getParameterShapes();

  /// Runs function `name` on all ranks until all returned; `inputs[rank]` has
  /// one local tensor per argument. Returns the results per rank. Fails with
  /// diagnostics when ranks wait for each other for ever: one at each op that
  /// still waits.
  mlir::FailureOr<llvm::SmallVector<Tensors>>
  run(llvm::StringRef name, llvm::ArrayRef<Tensors> inputs);

  /// The same with global inputs by name (`dfg.input` of an argument), of which
  /// every rank gets its shard (`dfg.sharding` of the argument).
  mlir::FailureOr<llvm::SmallVector<Tensors>>
  run(llvm::StringRef name, const llvm::StringMap<Tensor> &inputs);

  /// The global parameter of that checkpoint name. Fails when replicas differ.
  mlir::FailureOr<Tensor> getParameter(llvm::StringRef checkpointName);
  /// The global gradient, summed over the stages that own the parameter and
  /// over the axes on which `dfg.accumulate_grad` in "train" says it is
  /// partial.
  mlir::FailureOr<Tensor> getGradient(llvm::StringRef checkpointName);
  /// A metric, summed over the axes on which `dfg.metric` in `function` says it
  /// is partial.
  mlir::FailureOr<double> getMetric(llvm::StringRef name,
                                    llvm::StringRef function = "train");

private:
  friend class Lockstep;
  struct Rank {
    mlir::ModuleOp program;
    RankState state;
    RankContext context;
  };
  /// Ranks with the same program and stage.
  struct Stage {
    mlir::ModuleOp program;
    llvm::SmallVector<int64_t> ranks;
  };

  llvm::SmallVector<Stage> stages();
  /// The parameter of that checkpoint name in the program of `rank`, or null.
  dfg::ParameterOp findParameter(int64_t rank, llvm::StringRef checkpointName);

  dfg::MeshAttr mesh;
  llvm::SmallVector<Rank> ranks;
  llvm::StringMap<double> scalars;
};

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_INTERPRETER_H
