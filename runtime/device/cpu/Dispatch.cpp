// From prepared instructions to kernels and collectives.
#include "runtime/device/cpu/Dispatch.h"

namespace orrery::runtime {
namespace {

using kernels::AttentionTensor;

absl::Status run(PreparedLaunch &p, int64_t microbatch,
                 const DispatchContext &context) {
  for (size_t i = 0; i < p.buffers.size(); ++i)
    p.pointers[i] = p.buffers[i].at(microbatch);
  for (size_t i = 0; i < p.scalars.size(); ++i)
    p.values[i] =
        p.scalars[i].stream >= 0
            ? static_cast<int64_t>(context.keys.key(p.scalars[i].stream))
            : p.scalars[i].index.at(microbatch);
  if (!p.parallel || context.threads == 1) {
    p.function(p.pointers.data(), p.values.data(), 0, p.rows);
    return absl::OkStatus();
  }
  const int parts = context.threads;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; ++part)
    p.function(p.pointers.data(), p.values.data(), p.rows * part / parts,
               p.rows * (part + 1) / parts);
  return absl::OkStatus();
}

absl::Status run(PreparedGemm &p, int64_t microbatch,
                 const DispatchContext &context) {
  p.arguments.a = p.a.at(microbatch);
  p.arguments.b = p.b.at(microbatch);
  p.arguments.c = p.c.at(microbatch);
  kernels::GemmArguments arguments = p.arguments;
  if (p.firstRunOverwrites && microbatch == 0)
    arguments.beta = 0;
  return kernels::gemm(p.type, arguments, context.threads);
}

// Fills in what depends on the microbatch and the step.
void locate(const AttentionOperands &p, int64_t microbatch,
            const DispatchContext &context, kernels::AttentionShape &shape) {
  shape.sample = p.sample.at(microbatch);
  shape.head = p.head.at(microbatch);
  shape.randomKey = p.stream >= 0 ? context.keys.key(p.stream) : 0;
  shape.documentStart =
      p.hasDocumentStart
          ? reinterpret_cast<const int32_t *>(p.documentStart.at(microbatch))
          : nullptr;
}

absl::Status run(PreparedAttention &p, int64_t microbatch,
                 const DispatchContext &context) {
  kernels::AttentionForwardArguments &a = p.arguments;
  locate(p, microbatch, context, a.shape);
  a.q.data = p.q.at(microbatch);
  a.k.data = p.k.at(microbatch);
  a.v.data = p.v.at(microbatch);
  a.o.data = p.o.at(microbatch);
  a.lse = reinterpret_cast<float *>(p.lse.at(microbatch));
  return kernels::attention(p.type, a, context.scratch, context.threads);
}

absl::Status run(PreparedAttentionGrad &p, int64_t microbatch,
                 const DispatchContext &context) {
  kernels::AttentionBackwardArguments &a = p.arguments;
  locate(p, microbatch, context, a.shape);
  a.q.data = p.q.at(microbatch);
  a.k.data = p.k.at(microbatch);
  a.v.data = p.v.at(microbatch);
  a.o.data = p.o.at(microbatch);
  a.lse = reinterpret_cast<const float *>(p.lse.at(microbatch));
  a.gradO.data = p.gradO.at(microbatch);
  a.gradQ.data = p.gradQ.at(microbatch);
  a.gradK.data = p.gradK.at(microbatch);
  a.gradV.data = p.gradV.at(microbatch);
  return kernels::attentionGrad(p.type, a, context.scratch, context.threads);
}

absl::Status run(PreparedEmbedding &p, int64_t microbatch,
                 const DispatchContext &context) {
  p.table.data = p.rows.at(microbatch);
  p.table.firstRow = p.firstRow.at(microbatch);
  p.tokens.ids = reinterpret_cast<const int32_t *>(p.ids.at(microbatch));
  void *vectors = p.vectors.at(microbatch);
  return p.gradient ? kernels::embeddingGrad(p.type, p.table, p.tokens, vectors,
                                             context.threads)
                    : kernels::embedding(p.type, p.table, p.tokens, vectors,
                                         context.threads);
}

absl::Status run(PreparedColumnSum &p, int64_t microbatch,
                 const DispatchContext &context) {
  return kernels::columnSum(p.type, p.in.at(microbatch), p.rows, p.columns,
                            p.rowStride, p.columnStride,
                            reinterpret_cast<float *>(p.out.at(microbatch)),
                            p.outStride, p.accumulate, context.threads);
}

absl::Status run(PreparedFlatReduce &p, int64_t microbatch,
                 const DispatchContext &context) {
  return kernels::flatReduce(p.reduction, p.type, p.in.at(microbatch), p.count,
                             reinterpret_cast<double *>(p.out.at(microbatch)),
                             context.threads);
}

absl::Status run(PreparedCollective &p, int64_t microbatch,
                 const DispatchContext &context) {
  return p.collective.run(*p.group, p.in.at(microbatch), p.out.at(microbatch),
                          context.scratch);
}

absl::Status run(PreparedCopy &p, int64_t microbatch,
                 const DispatchContext &context) {
  kernels::stridedCopy(p.copy, p.in.at(microbatch), p.out.at(microbatch),
                       context.threads);
  return absl::OkStatus();
}

absl::Status run(PreparedFill &p, int64_t microbatch,
                 const DispatchContext &context) {
  return kernels::stridedFill(p.copy, p.type, p.value, p.out.at(microbatch),
                              context.threads);
}

absl::Status run(PreparedTransfer &, int64_t, const DispatchContext &) {
  return absl::InternalError("a transfer is run by the schedule");
}

} // namespace

absl::Status dispatch(PreparedInstruction &instruction, int64_t microbatch,
                      const DispatchContext &context) {
  return std::visit(
      [&](auto &prepared) { return run(prepared, microbatch, context); },
      instruction.kind);
}

} // namespace orrery::runtime
