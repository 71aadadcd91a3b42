// orrery-opt: runs any pass or pipeline of the compiler on IR read as text.
//
//   orrery-opt --dfg-differentiate model.mlir
#include "dialects/dfg/DfgDialect.h"
#include "tools/orrery-opt/Registration.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<orrery::dfg::DfgDialect, mlir::func::FuncDialect>();
  orrery::registerStages(registry);
  mlir::registerTransformsPasses(); // canonicalize, cse, …
  return mlir::failed(mlir::MlirOptMain(
      argc, argv, "Runs passes of the Orrery compiler\n", registry));
}
