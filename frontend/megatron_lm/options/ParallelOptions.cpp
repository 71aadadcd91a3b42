// Options of batch sizes, recomputation and the layout over ranks.
#include "frontend/megatron_lm/options/Options.h"

namespace orrery::frontend::megatron {

using enum Kind;
using enum OptionClass;
using enum Effect;

static constexpr OptionInfo kOptions[] = {
    {"--micro-batch-size", "micro_batch_size", Int, "None", "", Parallel,
     Honoured, "parallel.micro_batch_size",
     "b, samples per microbatch and replica"},
    {"--batch-size", "batch_size", Int, "None", "", Parallel, Rejected, "",
     "removed from Megatron-LM", "--micro-batch-size"},
    {"--global-batch-size", "global_batch_size", Int, "None", "", Parallel,
     Honoured, "parallel.global_batch_size",
     "samples per step; micro-batch-size times the data-parallel size"},
    {"--rampup-batch-size", "rampup_batch_size", Strings, "None", "", Parallel,
     Honoured, "parallel.ramp_up", "start, increment, samples of the ramp-up"},
    {"--checkpoint-num-layers", "checkpoint_num_layers", Int, "1", "", Parallel,
     Honoured, "parallel.recompute_layers", "layers per recomputed group"},
    {"--checkpoint-activations", "checkpoint_activations", Flag, "False", "",
     Parallel, Honoured, "parallel.recompute_layers",
     "layers are recomputed in the backward pass"},
    {"--distribute-checkpointed-activations",
     "distribute_checkpointed_activations", Flag, "False", "", Parallel,
     Rejected, "",
     "sharding the kept layer inputs over tensor ranks this way gives wrong "
     "gradients with pipeline stages in the original and is not offered",
     "--sequence-parallel, which shards them"},

    {"--tensor-model-parallel-size", "tensor_model_parallel_size", Int, "1", "",
     Parallel, Honoured, "parallel.tensor", "t, size of mesh axis tp"},
    {"--pipeline-model-parallel-size", "pipeline_model_parallel_size", Int, "1",
     "", Parallel, Honoured, "parallel.pipeline", "p, size of mesh axis pp"},
    {"--model-parallel-size", "model_parallel_size", Int, "None", "", Parallel,
     Rejected, "", "removed from Megatron-LM", "--tensor-model-parallel-size"},
    {"--num-layers-per-virtual-pipeline-stage",
     "num_layers_per_virtual_pipeline_stage", Int, "None", "", Parallel,
     Rejected, "", "the interleaved schedule is not supported yet",
     "leave it out: the plain 1F1B schedule"},
    {"--distributed-backend", "distributed_backend", Str, "nccl", "nccl,gloo",
     Runtime, None, "", "the target of the plan decides: NCCL or MPI"},
    {"--DDP-impl", "DDP_impl", Str, "local", "local,torch", Parallel, None, "",
     "gradient reduction comes from the sharding; its rules are checked"},
    {"--use-contiguous-buffers-in-ddp", "use_contiguous_buffers_in_ddp", Flag,
     "False", "", Parallel, None, "", "every buffer lies in one arena already"},
    {"--no-scatter-gather-tensors-in-pipeline",
     "scatter_gather_tensors_in_pipeline", NoFlag, "True", "", Parallel,
     Honoured, "parallel.scatter_gather_pipeline",
     "stages send whole tensors instead of 1/t each"},
    {"--local_rank", "local_rank", Int, "None", "", Runtime, None, "",
     "ranks and their devices come from mpirun"},
    {"--lazy-mpu-init", "lazy_mpu_init", Bool, "None", "", Ignorable, Rejected,
     "",
     "hands start-up to an outside library; any value switches it on, "
     "\"False\" too",
     "leave it out"},
    {"--use-cpu-initialization", "use_cpu_initialization", Flag, "None", "",
     Model, None, "", "start values never depend on the layout or the device"},
};

std::span<const OptionInfo> parallelOptions() { return kOptions; }

/// sequence_parallel and the recomputation spellings of later versions.
static constexpr OptionInfo kNewer[] = {
    {"--sequence-parallel", "sequence_parallel", Flag, "False", "", Parallel,
     Honoured, "parallel.sequence_parallel",
     "residual stream sharded over the tensor ranks"},
    {"--norm-epsilon", "layernorm_epsilon", Float, "1e-5", "", Model, Honoured,
     "model.layernorm_epsilon", "newer name of --layernorm-epsilon"},
    {"--recompute-num-layers", "recompute_num_layers", Int, "None", "",
     Parallel, Honoured, "parallel.recompute_layers",
     "newer name of --checkpoint-num-layers"},
    {"--recompute-granularity", "recompute_granularity", Str, "None",
     "full,selective", Parallel, Honoured, "parallel.recompute_layers",
     "full: as --checkpoint-activations; selective: attention weights are "
     "never kept here, so nothing is added"},
    {"--recompute-activations", "recompute_activations", Flag, "False", "",
     Parallel, None, "", "attention weights are never kept here"},
    {"--recompute-method", "recompute_method", Str, "None", "uniform,block",
     Parallel, Honoured, "parallel.recompute_layers",
     "uniform: groups of --recompute-num-layers; block is not supported"},
    {"--use-flash-attn", "use_flash_attn", Flag, "False", "", Ignorable, None,
     "", "attention never builds the s×s matrix"},
    {"--no-gradient-accumulation-fusion", "gradient_accumulation_fusion",
     NoFlag, "True", "", Ignorable, None, "",
     "fusion is decided by the compiler"},
    {"--no-async-tensor-model-parallel-allreduce",
     "async_tensor_model_parallel_allreduce", NoFlag, "True", "", Ignorable,
     None, "", "overlap is decided by the schedule"},
    {"--no-persist-layer-norm", "no_persist_layer_norm", Flag, "False", "",
     Ignorable, None, "", "layer norm has one implementation"},
};

std::span<const OptionInfo> newerOptions() { return kNewer; }

} // namespace orrery::frontend::megatron
