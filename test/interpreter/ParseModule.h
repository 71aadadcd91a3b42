// IR of a test, parsed with everything that dfg programs need.
#ifndef ORRERY_TEST_INTERPRETER_PARSEMODULE_H
#define ORRERY_TEST_INTERPRETER_PARSEMODULE_H

#include "dialects/dfg/DfgDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include <string>

namespace orrery::interpreter {

/// A module and the context it lives in. Diagnostics are collected, not
/// printed.
class ParsedModule {
public:
  explicit ParsedModule(llvm::StringRef text)
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          diagnostics += diagnostic.str() + "\n";
          return mlir::success();
        }) {
    context.loadDialect<dfg::DfgDialect, mlir::func::FuncDialect>();
    // Tests name attributes of their own.
    context.allowUnregisteredDialects();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module) {
      llvm::errs() << diagnostics << "in\n" << text << "\n";
      std::abort();
    }
  }

  mlir::ModuleOp operator*() { return *module; }
  mlir::MLIRContext *getContext() { return &context; }
  mlir::func::FuncOp getFunction(llvm::StringRef name) {
    return module->lookupSymbol<mlir::func::FuncOp>(name);
  }
  const std::string &getDiagnostics() const { return diagnostics; }

private:
  mlir::MLIRContext context;
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_PARSEMODULE_H
