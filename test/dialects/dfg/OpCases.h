// Small instances of every op that is shardable or differentiable; the property
// tests of factor rules and of backwards both run over them.
#ifndef ORRERY_TEST_DIALECTS_DFG_OPCASES_H
#define ORRERY_TEST_DIALECTS_DFG_OPCASES_H

#include "test/interpreter/Interpreter.h"
#include "test/interpreter/ParseModule.h"

#include "gtest/gtest.h"
#include <string>
#include <vector>

namespace orrery::dfg {

/// One op inside `func.func @main(<arguments>) { <op> return <results> }`.
struct OpCase {
  const char *name;
  const char *arguments; // "%a: tensor<4x6xf64>"
  const char *op;        // "%0 = dfg.exp %a : tensor<4x6xf64>"
  const char *results;   // "%0 : tensor<4x6xf64>"
  /// Numbers lie in [0.5, 1.5), else in [-1, 1): for logarithms and divisors.
  bool positive = false;
  /// Integers lie in [0, idLimit).
  int64_t idLimit = 8;

  /// The module, on a mesh such as "a = 2, b = 2".
  std::string text(llvm::StringRef mesh) const;
};

const std::vector<OpCase> &opCases();

/// The first op of @main.
mlir::Operation *opOf(interpreter::ParsedModule &module);

/// Reproducible values for the arguments of `function`.
interpreter::Tensors inputsFor(const OpCase &test, mlir::func::FuncOp function);

/// Gtest's name of a case.
std::string caseName(const testing::TestParamInfo<OpCase> &info);

} // namespace orrery::dfg

#endif // ORRERY_TEST_DIALECTS_DFG_OPCASES_H
