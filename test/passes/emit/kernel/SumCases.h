// Fused regions with sums over rows, whose kernels only GPUs have.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_SUMCASES_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_SUMCASES_H

#include <cstdint>
#include <string>
#include <utility>

namespace orrery::passes {

/// Like a norm's backward: a result for each element, two sums over rows; a
/// number of each row and of each column.
inline const char *const kGradWithSums = R"(
  %f = dfg.cast %x : tensor<RxCxT> to tensor<RxCxf32>
  %wf = dfg.cast %w : tensor<CxT> to tensor<Cxf32>
  %wb = dfg.broadcast %wf {dims = array<i64: 1>} : tensor<Cxf32> to tensor<RxCxf32>
  %h = dfg.mul %f, %wb : tensor<RxCxf32>
  %s = dfg.reduce sum %h {dims = array<i64: 1>} : tensor<RxCxf32> -> tensor<Rxf32>
  %t = dfg.mul %s, %r : tensor<Rxf32>
  %b = dfg.broadcast %t {dims = array<i64: 0>} : tensor<Rxf32> to tensor<RxCxf32>
  %d = dfg.mul %f, %b : tensor<RxCxf32>
  %g = dfg.cast %y : tensor<RxCxT> to tensor<RxCxf32>
  %z = dfg.add %d, %g : tensor<RxCxf32>
  %n = dfg.cast %z : tensor<RxCxf32> to tensor<RxCxT>
  %p = dfg.partial_sum %n : tensor<RxCxT> -> tensor<PxCxf32>
  %q = dfg.partial_sum %g : tensor<RxCxf32> -> tensor<PxCxf32>
  "test.use"(%n, %p, %q) : (tensor<RxCxT>, tensor<PxCxf32>, tensor<PxCxf32>) -> ())";

/// A bias' gradient: no row is reduced.
inline const char *const kBiasWithSum = R"(
  %b = dfg.broadcast %w {dims = array<i64: 1>} : tensor<CxT> to tensor<RxCxT>
  %n = dfg.mul %x, %b : tensor<RxCxT>
  %p = dfg.partial_sum %n : tensor<RxCxT> -> tensor<PxCxf32>
  "test.use"(%n, %p) : (tensor<RxCxT>, tensor<PxCxf32>) -> ())";

/// Operands of both.
inline const char *const kSumSignature =
    "%x: tensor<RxCxT>, %y: tensor<RxCxT>, %w: tensor<CxT>, %r: tensor<Rxf32>";

struct SumCase {
  const char *name, *body;
  int64_t rows, parts, columns;
};

/// Several rows at a time of several warps each, or of a part of one; rows that
/// are a block's; parts with a row less than others, with one row, with as few
/// as are taken at a time; long rows, of which a thread has two chunks or
/// more.
inline const SumCase kSumCases[] = {
    {"GradSums", kGradWithSums, 24, 8, 768},
    {"GradSums", kGradWithSums, 23, 5, 64},
    {"GradSums", kGradWithSums, 9, 9, 7},
    {"GradSums", kGradWithSums, 7, 1, 1600},
    {"GradSums", kGradWithSums, 13, 4, 4096},
    {"GradSums", kGradWithSums, 11, 3, 1},
    {"GradSums", kGradWithSums, 67, 4, 768},
    {"GradSums", kGradWithSums, 9, 2, 12288},
    {"GradSums", kGradWithSums, 300, 33, 1600},
    {"BiasSum", kBiasWithSum, 24, 8, 768},
    {"BiasSum", kBiasWithSum, 60, 5, 48},
    {"BiasSum", kBiasWithSum, 7, 1, 1600},
    {"BiasSum", kBiasWithSum, 15, 2, 4104},
    {"BiasSum", kBiasWithSum, 9, 2, 9001},
    {"BiasSum", kBiasWithSum, 9, 2, 16384},
};

/// `text` with the sizes of `one` for R, P and C, and `element` for T.
inline std::string withSizes(std::string text, const SumCase &one,
                             const std::string &element) {
  auto replace = [&](char before, char mark, char after,
                     const std::string &value) {
    for (size_t at; (at = text.find({before, mark, after})) != text.npos;)
      text.replace(at + 1, 1, value);
  };
  for (auto [mark, size] :
       {std::pair{'R', one.rows}, {'P', one.parts}, {'C', one.columns}})
    for (char before : {'<', 'x'})
      replace(before, mark, 'x', std::to_string(size));
  replace('x', 'T', '>', element);
  return text;
}

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_SUMCASES_H
