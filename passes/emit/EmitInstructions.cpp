// Instructions of rank programs in the plan.
#include "passes/emit/ClassEmitter.h"

#include "passes/memory/ArenaLayout.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

void orrery::passes::writeIndex(dfg::IndexAttr from, plan::Index &to) {
  to.set_constant(from.getConstant());
  for (NamedAttribute entry : from.getTerms()) {
    plan::Index::Term &term = *to.add_terms();
    term.set_axis(entry.getName().str());
    term.set_stride(cast<IntegerAttr>(entry.getValue()).getInt());
  }
}

void ClassEmitter::emitView(Value value, plan::View &view) {
  auto op = value.getDefiningOp<rank::ViewOp>();
  auto type = cast<MemRefType>(value.getType());
  view.set_buffer(buffers.at(op.getBuffer()));
  view.set_offset(op.getOffset() * type.getElementTypeBitWidth() / 8);
  auto [strides, offset] = type.getStridesAndOffset();
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides)) {
    view.add_shape(size);
    view.add_strides(stride);
  }
  view.set_type(toElementType(type.getElementType()));
}

/// Refuses an output over an input where the kernel does not promise to read an
/// element before it writes the one in its place.
static LogicalResult checkAliases(rank::LaunchOp op, const KernelCall &call) {
  auto range = [](Value value) {
    auto view = value.getDefiningOp<rank::ViewOp>();
    int64_t begin = view.getOffset();
    int64_t size = cast<MemRefType>(value.getType()).getNumElements();
    return std::tuple(view.getBuffer(), begin, begin + size);
  };
  for (auto [out, output] : llvm::enumerate(op.getOutputs()))
    for (auto [in, input] : llvm::enumerate(op.getInputs())) {
      auto [outBuffer, outBegin, outEnd] = range(output);
      auto [inBuffer, inBegin, inEnd] = range(input);
      if (outBuffer != inBuffer || outEnd <= inBegin || inEnd <= outBegin)
        continue;
      std::pair<unsigned, unsigned> pair(in, out);
      if (outBegin != inBegin || !llvm::is_contained(call.inPlace, pair))
        return op.emitOpError("writes output ")
               << out << " over input " << in
               << ", which the kernel still reads";
    }
  return success();
}

/// A power of two that divides the address of a view of any slot.
static int64_t alignmentOf(Value value) {
  auto view = value.getDefiningOp<rank::ViewOp>();
  int64_t bits = cast<MemRefType>(value.getType()).getElementTypeBitWidth();
  int64_t offset = view.getOffset() * bits / 8;
  return offset == 0 ? kBufferAlignment : offset & -offset;
}

LogicalResult ClassEmitter::emitLaunch(rank::LaunchOp op,
                                       plan::Launch &launch) {
  SmallVector<int64_t> alignments;
  for (Value buffer : op->getOperands())
    alignments.push_back(alignmentOf(buffer));
  FailureOr<KernelCall> call = kernels.add(op.getFused(), alignments);
  if (failed(call) || failed(checkAliases(op, *call)))
    return failure();
  launch.set_kernel(call->kernel);
  launch.set_rows(call->rows);
  launch.set_inputs(op.getInputs().size());
  for (Value input : op.getInputs())
    emitView(input, *launch.add_buffers());
  for (Value output : op.getOutputs())
    emitView(output, *launch.add_buffers());
  for (const KernelScalar &from : call->scalars) {
    plan::Launch::Scalar &scalar = *launch.add_scalars();
    if (from.isStream()) {
      scalar.mutable_stream()->set_name(from.stream);
      scalar.mutable_stream()->set_layer(from.layer);
    } else {
      writeIndex(from.index, *scalar.mutable_index());
      scalar.mutable_index()->set_per_microbatch(from.perMicrobatch);
    }
  }
  return success();
}

void ClassEmitter::emitGemm(rank::GemmOp op, plan::Gemm &gemm) {
  emitView(op.getA(), *gemm.mutable_a());
  emitView(op.getB(), *gemm.mutable_b());
  emitView(op.getC(), *gemm.mutable_c());
  gemm.set_transpose_a(op.getTransposeA());
  gemm.set_transpose_b(op.getTransposeB());
  gemm.set_m(op.getM());
  gemm.set_n(op.getN());
  gemm.set_k(op.getK());
  gemm.set_lda(op.getLda());
  gemm.set_ldb(op.getLdb());
  gemm.set_ldc(op.getLdc());
  gemm.set_batch(op.getBatch());
  gemm.set_stride_a(op.getStrideA());
  gemm.set_stride_b(op.getStrideB());
  gemm.set_stride_c(op.getStrideC());
  gemm.set_alpha(op.getAlpha().convertToDouble());
  gemm.set_beta(op.getBeta().convertToDouble());
  gemm.set_epilogue(
      static_cast<plan::Gemm::Epilogue>(static_cast<int>(op.getEpilogue())));
  gemm.set_first_run_overwrites(op.getFirstRunOverwrites());
  if (op.getBias())
    emitView(op.getBias(), *gemm.mutable_bias());
  if (op.getAux())
    emitView(op.getAux(), *gemm.mutable_aux());
}

template <typename Op>
void ClassEmitter::emitShape(Op op, plan::AttentionShape &shape) {
  shape.set_scale(op.getScale().convertToDouble());
  shape.set_causal(op.getCausal());
  shape.set_dropout(op.getProbability().convertToDouble());
  shape.mutable_stream()->set_name(op.getStream().str());
  shape.mutable_stream()->set_layer(op.getLayer());
  writeIndex(op.getFirstSample(), *shape.mutable_sample());
  shape.mutable_sample()->set_per_microbatch(op.getNumSamples());
  writeIndex(op.getFirstHead(), *shape.mutable_head());
  shape.set_total_heads(op.getNumHeads());
  if (op.getDocumentStart())
    emitView(op.getDocumentStart(), *shape.mutable_document_start());
}

void ClassEmitter::emitCollective(rank::CollectiveOp op,
                                  plan::Collective &collective) {
  collective.set_op(
      static_cast<plan::Collective::Op>(static_cast<int>(op.getKind())));
  collective.set_reduction(op.getReduction() == dfg::Reduction::Max
                               ? plan::Collective::MAX
                               : plan::Collective::SUM);
  collective.set_communicator(communicators.at(op.getCommunicator()));
  emitView(op.getIn(), *collective.mutable_in());
  emitView(op.getOut(), *collective.mutable_out());
  collective.set_dimension(op.getDim());
  collective.set_concat_dimension(op.getConcat());
}

template <typename Op>
void ClassEmitter::emitTransfer(Op op, plan::Transfer &transfer) {
  transfer.set_communicator(communicators.at(op.getCommunicator()));
  transfer.set_delta(op.getDelta());
  transfer.set_tag(op.getTag());
  emitView(op.getView(), *transfer.mutable_view());
}

LogicalResult ClassEmitter::emitInstruction(Operation *op,
                                            plan::Instruction &instruction) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](rank::LaunchOp launch) {
        return emitLaunch(launch, *instruction.mutable_launch());
      })
      .Case([&](rank::GemmOp gemm) {
        emitGemm(gemm, *instruction.mutable_gemm());
        return success();
      })
      .Case([&](rank::AttentionOp attention) {
        plan::Attention &to = *instruction.mutable_attention();
        emitView(attention.getQ(), *to.mutable_q());
        emitView(attention.getK(), *to.mutable_k());
        emitView(attention.getV(), *to.mutable_v());
        emitView(attention.getO(), *to.mutable_o());
        emitView(attention.getLse(), *to.mutable_lse());
        emitShape(attention, *to.mutable_shape());
        return success();
      })
      .Case([&](rank::AttentionGradOp grad) {
        plan::AttentionGrad &to = *instruction.mutable_attention_grad();
        emitView(grad.getQ(), *to.mutable_q());
        emitView(grad.getK(), *to.mutable_k());
        emitView(grad.getV(), *to.mutable_v());
        emitView(grad.getO(), *to.mutable_o());
        emitView(grad.getLse(), *to.mutable_lse());
        emitView(grad.getGradO(), *to.mutable_grad_o());
        emitView(grad.getGradQ(), *to.mutable_grad_q());
        emitView(grad.getGradK(), *to.mutable_grad_k());
        emitView(grad.getGradV(), *to.mutable_grad_v());
        emitShape(grad, *to.mutable_shape());
        return success();
      })
      .Case([&](rank::EmbeddingOp embedding) {
        plan::Embedding &to = *instruction.mutable_embedding();
        emitView(embedding.getTable(), *to.mutable_table());
        emitView(embedding.getIds(), *to.mutable_ids());
        emitView(embedding.getOut(), *to.mutable_out());
        writeIndex(embedding.getFirstRow(), *to.mutable_first_row());
        return success();
      })
      .Case([&](rank::EmbeddingGradOp grad) {
        plan::EmbeddingGrad &to = *instruction.mutable_embedding_grad();
        emitView(grad.getIds(), *to.mutable_ids());
        emitView(grad.getGradOut(), *to.mutable_grad_out());
        emitView(grad.getGrad(), *to.mutable_grad());
        writeIndex(grad.getFirstRow(), *to.mutable_first_row());
        return success();
      })
      .Case([&](rank::ColumnSumOp sum) {
        plan::ColumnSum &to = *instruction.mutable_column_sum();
        emitView(sum.getIn(), *to.mutable_in());
        emitView(sum.getOut(), *to.mutable_out());
        to.set_accumulate(sum.getAccumulate());
        return success();
      })
      .Case([&](rank::FlatReduceOp reduce) {
        plan::FlatReduce &to = *instruction.mutable_flat_reduce();
        to.set_op(static_cast<plan::FlatReduce::Op>(
            static_cast<int>(reduce.getKind())));
        emitView(reduce.getIn(), *to.mutable_in());
        emitView(reduce.getOut(), *to.mutable_out());
        return success();
      })
      .Case([&](rank::CollectiveOp collective) {
        emitCollective(collective, *instruction.mutable_collective());
        return success();
      })
      .Case([&](rank::SendOp send) {
        emitTransfer(send, *instruction.mutable_send());
        return success();
      })
      .Case([&](rank::ReceiveOp receive) {
        emitTransfer(receive, *instruction.mutable_receive());
        return success();
      })
      .Case([&](rank::CopyOp copy) {
        emitView(copy.getIn(), *instruction.mutable_copy()->mutable_in());
        emitView(copy.getOut(), *instruction.mutable_copy()->mutable_out());
        return success();
      })
      .Case([&](rank::FillOp fill) {
        emitView(fill.getOut(), *instruction.mutable_fill()->mutable_out());
        instruction.mutable_fill()->set_value(
            fill.getValue().convertToDouble());
        return success();
      })
      .Default([](Operation *other) {
        return other->emitOpError("has no form in the plan");
      });
}
