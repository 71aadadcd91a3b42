// Options that only programs other than pretrain_gpt.py read.
#include "frontend/megatron_lm/options/Options.h"

namespace orrery::frontend::megatron {

using enum Kind;
using enum OptionClass;
using enum Effect;

static constexpr std::string_view kRetriever = "read by the retriever only";
static constexpr std::string_view kVision =
    "read by the vision transformer only";
static constexpr std::string_view kProgram =
    "belongs to a program that is not supported yet";

static constexpr OptionInfo kOther[] = {
    {"--ict-head-size", "ict_head_size", Int, "None", "", Model, None, "",
     kRetriever},
    {"--biencoder-projection-dim", "biencoder_projection_dim", Int, "0", "",
     Model, None, "", kRetriever},
    {"--biencoder-shared-query-context-model",
     "biencoder_shared_query_context_model", Flag, "False", "", Model, None, "",
     kRetriever},
    {"--ict-load", "ict_load", Str, "None", "", Runtime, None, "", kRetriever},
    {"--bert-load", "bert_load", Str, "None", "", Runtime, None, "",
     kRetriever},
    {"--titles-data-path", "titles_data_path", Str, "None", "", Data, None, "",
     kRetriever},
    {"--query-in-block-prob", "query_in_block_prob", Float, "0.1", "", Data,
     None, "", kRetriever},
    {"--use-one-sent-docs", "use_one_sent_docs", Flag, "False", "", Data, None,
     "", kRetriever},
    {"--evidence-data-path", "evidence_data_path", Str, "None", "", Data, None,
     "", kRetriever},
    {"--retriever-report-topk-accuracies", "retriever_report_topk_accuracies",
     Ints, "[]", "", Runtime, None, "", kRetriever},
    {"--retriever-score-scaling", "retriever_score_scaling", Flag, "False", "",
     Model, None, "", kRetriever},
    {"--block-data-path", "block_data_path", Str, "None", "", Ignorable, None,
     "", "nothing reads it in the original either"},
    {"--embedding-path", "embedding_path", Str, "None", "", Data, None, "",
     kRetriever},
    {"--indexer-batch-size", "indexer_batch_size", Int, "128", "", Runtime,
     None, "", kRetriever},
    {"--indexer-log-interval", "indexer_log_interval", Int, "1000", "", Runtime,
     None, "", kRetriever},
    {"--num-classes", "num_classes", Int, "1000", "", Model, None, "", kVision},
    {"--img-dim", "img_dim", Int, "224", "", Model, None, "", kVision},
    {"--num-channels", "num_channels", Int, "3", "", Model, None, "", kVision},
    {"--patch-dim", "patch_dim", Int, "16", "", Model, None, "", kVision},
};

/// tasks/main.py
static constexpr OptionInfo kTask[] = {
    {"--task", "task", Str, "None", "", Runtime, None, "", kProgram},
    {"--epochs", "epochs", Int, "None", "", Runtime, None, "", kProgram},
    {"--pretrained-checkpoint", "pretrained_checkpoint", Str, "None", "",
     Runtime, None, "", kProgram},
    {"--keep-last", "keep_last", Flag, "False", "", Runtime, None, "",
     kProgram},
    {"--train-data", "train_data", Strings, "None", "", Data, None, "",
     kProgram},
    {"--valid-data", "valid_data", Strings, "None", "", Data, None, "",
     kProgram},
    {"--overlapping-eval", "overlapping_eval", Int, "32", "", Runtime, None, "",
     kProgram},
    {"--strict-lambada", "strict_lambada", Flag, "False", "", Runtime, None, "",
     kProgram},
    {"--qa-data-dev", "qa_data_dev", Str, "None", "", Data, None, "", kProgram},
    {"--qa-data-test", "qa_data_test", Str, "None", "", Data, None, "",
     kProgram},
    {"--faiss-use-gpu", "faiss_use_gpu", Flag, "False", "", Runtime, None, "",
     kProgram},
    {"--faiss-match", "faiss_match", Str, "string", "regex,string", Runtime,
     None, "", kProgram},
    {"--faiss-topk-retrievals", "faiss_topk_retrievals", Int, "100", "",
     Runtime, None, "", kProgram},
    {"--eval-micro-batch-size", "eval_micro_batch_size", Int, "None", "",
     Runtime, None, "", kProgram},
    {"--train-with-neg", "train_with_neg", Flag, "False", "", Data, None, "",
     kProgram},
    {"--train-hard-neg", "train_hard_neg", Int, "0", "", Data, None, "",
     kProgram},
    {"--val-av-rank-hard-neg", "val_av_rank_hard_neg", Int, "30", "", Runtime,
     None, "", kProgram},
    {"--val-av-rank-other-neg", "val_av_rank_other_neg", Int, "30", "", Runtime,
     None, "", kProgram},
};

/// tools/merge_mp_partitions.py
static constexpr OptionInfo kMerge[] = {
    {"--model-type", "model_type", Str, "None", "BERT,GPT,RACE,MNLI,QQP", Model,
     None, "", kProgram},
    {"--target-pipeline-model-parallel-size",
     "target_pipeline_model_parallel_size", Int, "1", "", Parallel, None, "",
     kProgram},
};

/// tools/generate_samples_gpt.py
static constexpr OptionInfo kGenerate[] = {
    {"--temperature", "temperature", Float, "1.0", "", Runtime, None, "",
     kProgram},
    {"--greedy", "greedy", Flag, "False", "", Runtime, None, "", kProgram},
    {"--top_p", "top_p", Float, "0.0", "", Runtime, None, "", kProgram},
    {"--top_k", "top_k", Int, "0", "", Runtime, None, "", kProgram},
    {"--out-seq-length", "out_seq_length", Int, "1024", "", Runtime, None, "",
     kProgram},
    {"--sample-input-file", "sample_input_file", Str, "None", "", Data, None,
     "", kProgram},
    {"--sample-output-file", "sample_output_file", Str, "None", "", Data, None,
     "", kProgram},
    {"--num-samples", "num_samples", Int, "0", "", Runtime, None, "", kProgram},
    {"--genfile", "genfile", Str, "None", "", Data, None, "", kProgram},
    {"--recompute", "recompute", Flag, "False", "", Runtime, None, "",
     kProgram},
};

std::span<const OptionInfo> otherModelOptions() { return kOther; }
std::span<const OptionInfo> taskOptions() { return kTask; }
std::span<const OptionInfo> mergeOptions() { return kMerge; }
std::span<const OptionInfo> generateOptions() { return kGenerate; }

} // namespace orrery::frontend::megatron
