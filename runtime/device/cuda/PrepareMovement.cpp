// Lookups in tables, copies and fills.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/cpu/StridedCopy.h"
#include "kernels/cuda/Embedding.h"
#include "kernels/cuda/StridedCopy.h"
#include "runtime/device/cuda/Prepare.h"

namespace orrery::runtime::cuda {
namespace {

// An embedding or its gradient before addresses are known.
struct Lookup {
  kernels::ElementType type;
  kernels::EmbeddingTable table;
  kernels::EmbeddingTokens tokens;
  Place rows, ids, vectors;
  IndexValue firstRow;

  // Fills in what depends on the microbatch; the vectors.
  void *locate(const Site &site) {
    table.data = rows.in(site.arena, site.microbatch);
    table.firstRow = firstRow.at(site.microbatch);
    tokens.ids =
        reinterpret_cast<const int32_t *>(ids.in(site.arena, site.microbatch));
    return vectors.in(site.arena, site.microbatch);
  }
};

// Token positions as a grid of at most two dimensions.
absl::StatusOr<Lookup> prepareLookup(const plan::View &table,
                                     const plan::View &ids,
                                     const plan::View &vectors,
                                     const plan::Index &firstRow,
                                     PrepareContext &context) {
  if (ids.shape_size() < 1 || ids.shape_size() > 2)
    return absl::UnimplementedError(
        absl::StrCat("ids have shape [", absl::StrJoin(ids.shape(), ", "),
                     "]; this device looks up one- and two-dimensional ones"));
  const int last = ids.shape_size() - 1;
  if ((vectors.strides(last + 1) != 1 && vectors.shape(last + 1) != 1) ||
      (table.strides(1) != 1 && table.shape(1) != 1))
    return absl::UnimplementedError("embedding vectors and table must have "
                                    "stride 1 along their last dimension");
  Lookup lookup;
  lookup.type = kernelType(vectors);
  lookup.tokens.outer = last == 1 ? ids.shape(0) : 1;
  lookup.tokens.inner = ids.shape(last);
  lookup.tokens.width = vectors.shape(last + 1);
  lookup.tokens.idsOuter = last == 1 ? ids.strides(0) : 0;
  lookup.tokens.idsInner = ids.strides(last);
  lookup.tokens.vectorsOuter = last == 1 ? vectors.strides(0) : 0;
  lookup.tokens.vectorsInner = vectors.strides(last);
  lookup.table = {nullptr, table.shape(0), table.strides(0), 0};
  lookup.rows = context.place(table);
  lookup.ids = context.place(ids);
  lookup.vectors = context.place(vectors);
  lookup.firstRow = context.index(firstRow);
  return lookup;
}

absl::StatusOr<kernels::CopyPlan> copyBetween(const plan::View &in,
                                              const plan::View &out) {
  kernels::CopyPlan copy;
  absl::Status status = kernels::planCopy(kernelType(out), shapeOf(out),
                                          stridesOf(in), stridesOf(out), copy);
  if (!status.ok())
    return status;
  return copy;
}

} // namespace

Prepared prepareEmbedding(const plan::Embedding &op, PrepareContext &context) {
  absl::StatusOr<Lookup> lookup =
      prepareLookup(op.table(), op.ids(), op.out(), op.first_row(), context);
  if (!lookup.ok())
    return lookup.status();
  return makeOperation(0, [lookup = *lookup](const Site &site) mutable {
    void *vectors = lookup.locate(site);
    return kernels::cuda::embedding(lookup.type, lookup.table, lookup.tokens,
                                    vectors, site.stream);
  });
}

Prepared prepareEmbeddingGrad(const plan::EmbeddingGrad &op,
                              PrepareContext &context) {
  absl::StatusOr<Lookup> lookup = prepareLookup(
      op.grad(), op.ids(), op.grad_out(), op.first_row(), context);
  if (!lookup.ok())
    return lookup.status();
  int64_t scratch = 0;
  if (cudaError_t error = kernels::cuda::embeddingGradScratchBytes(
          lookup->tokens.outer * lookup->tokens.inner, lookup->tokens.width,
          lookup->table.rows, scratch);
      error != cudaSuccess)
    return toStatus(error, "cannot size the scratch memory");
  return makeOperation(scratch, [lookup = *lookup](const Site &site) mutable {
    void *vectors = lookup.locate(site);
    return kernels::cuda::embeddingGrad(lookup.type, lookup.table,
                                        lookup.tokens, vectors, site.scratch,
                                        site.stream);
  });
}

Prepared prepareCopy(const plan::Copy &op, PrepareContext &context) {
  absl::StatusOr<kernels::CopyPlan> copy = copyBetween(op.in(), op.out());
  if (!copy.ok())
    return copy.status();
  return makeOperation(0, [copy = *copy, in = context.place(op.in()),
                           out = context.place(op.out())](const Site &site) {
    return kernels::cuda::stridedCopy(copy, in.in(site.arena, site.microbatch),
                                      out.in(site.arena, site.microbatch),
                                      site.stream);
  });
}

Prepared prepareFill(const plan::Fill &op, PrepareContext &context) {
  absl::StatusOr<kernels::CopyPlan> copy = copyBetween(op.out(), op.out());
  if (!copy.ok())
    return copy.status();
  return makeOperation(0, [copy = *copy, type = kernelType(op.out()),
                           value = op.value(),
                           out = context.place(op.out())](const Site &site) {
    return kernels::cuda::stridedFill(
        copy, type, value, out.in(site.arena, site.microbatch), site.stream);
  });
}

} // namespace orrery::runtime::cuda
