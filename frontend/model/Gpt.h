// The GPT of Megatron-LM as a dataflow program.
#ifndef ORRERY_FRONTEND_MODEL_GPT_H
#define ORRERY_FRONTEND_MODEL_GPT_H

#include "frontend/job/Job.pb.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace orrery::frontend {

/// Builds forward and loss of one microbatch of the job's model over global
/// tensors: a module with the mesh, the parameters, @train (with dropout; its
/// metric "lm_loss" is the objective) and @evaluate (without).
///
/// The loss is the mean over replicas of each replica's mean over its unmasked
/// tokens (megatron: pretrain_gpt.py, megatron/schedules.py). Parameters have
/// the names of Megatron-LM's state dict.
///
/// Loads the dialects it needs. Emits an error per fault of the job and
/// returns failure.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
buildModel(mlir::MLIRContext &context, const job::JobSpec &job);

} // namespace orrery::frontend

#endif // ORRERY_FRONTEND_MODEL_GPT_H
