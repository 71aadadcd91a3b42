// Options of data, validation and logging.
#include "frontend/megatron_lm/options/Options.h"

namespace orrery::frontend::megatron {

using enum Kind;
using enum OptionClass;
using enum Effect;

static constexpr OptionInfo kData[] = {
    {"--eval-iters", "eval_iters", Int, "100", "", Runtime, Honoured,
     "runtime.eval_iters", "steps per validation pass"},
    {"--eval-interval", "eval_interval", Int, "1000", "", Runtime, Honoured,
     "runtime.eval_interval", "steps between validation passes"},
    {"--data-path", "data_path", Strings, "None", "", Data, Honoured,
     "data.sources", "one prefix, or weight and prefix in turn"},
    {"--split", "split", Str, "969, 30, 1", "", Data, Honoured, "data.split",
     "shares of training, validation and test"},
    {"--dataloader-type", "dataloader_type", Str, "None", "single,cyclic", Data,
     Honoured, "data.sampler",
     "order of the samples; single. cyclic deals them out by replica, so its "
     "order depends on the data-parallel size"},
    {"--vocab-file", "vocab_file", Str, "None", "", Data, Honoured,
     "data.vocab_file", "gives vocabulary size and end-of-document token"},
    {"--merge-file", "merge_file", Str, "None", "", Data, None,
     "data.merge_file",
     "recorded only: token files hold ids, nothing is split into tokens"},
    {"--vocab-extra-ids", "vocab_extra_ids", Int, "0", "", Data, None, "",
     "read by the BERT and T5 tokenizer only"},
    {"--seq-length", "seq_length", Int, "None", "", Model, Honoured,
     "model.seq_length", "s, tokens per sample"},
    {"--encoder-seq-length", "encoder_seq_length", Int, "None", "", Model,
     Honoured, "model.seq_length", "another name of --seq-length"},
    {"--decoder-seq-length", "decoder_seq_length", Int, "None", "", Model, None,
     "", "read by T5 only; still must not exceed --max-position-embeddings"},
    {"--retriever-seq-length", "retriever_seq_length", Int, "256", "", Data,
     None, "", "read by the retriever only"},
    {"--sample-rate", "sample_rate", Float, "1.0", "", Data, None, "",
     "read by the question-answering data only"},
    {"--mask-prob", "mask_prob", Float, "0.15", "", Data, None, "",
     "read by BERT and T5 only"},
    {"--short-seq-prob", "short_seq_prob", Float, "0.1", "", Data, None, "",
     "read by BERT and T5 only"},
    {"--mmap-warmup", "mmap_warmup", Flag, "False", "", Ignorable, None, "",
     "the operating system's read-ahead is enough"},
    {"--num-workers", "num_workers", Int, "2", "", Ignorable, None, "",
     "reading a sample is a copy out of mapped memory; no workers"},
    {"--tokenizer-type", "tokenizer_type", Str, "None",
     "BertWordPieceLowerCase,BertWordPieceCase,GPT2BPETokenizer", Data,
     Honoured, "data.tokenizer", "how the vocabulary file is read"},
    {"--data-impl", "data_impl", Str, "infer", "lazy,cached,mmap,infer", Data,
     Honoured, "data.implementation", "file format of the tokens; mmap"},
    {"--reset-position-ids", "reset_position_ids", Flag, "False", "", Model,
     Honoured, "model.reset_position_ids",
     "positions start again after an end-of-document token"},
    {"--reset-attention-mask", "reset_attention_mask", Flag, "False", "", Model,
     Honoured, "model.reset_attention_mask",
     "attention stays inside a document, in every kernel"},
    {"--eod-mask-loss", "eod_mask_loss", Flag, "False", "", Model, Honoured,
     "model.eod_mask_loss", "no loss where the input token ends a document"},
};

static constexpr std::string_view kNoTensorBoard =
    "TensorBoard files are not written; orrery-run --metrics=FILE.jsonl "
    "writes the same series";

static constexpr OptionInfo kLogging[] = {
    {"--log-interval", "log_interval", Int, "100", "", Runtime, Honoured,
     "runtime.log_interval", "steps between log lines"},
    {"--log-params-norm", "log_params_norm", Flag, "False", "", Runtime,
     Honoured, "runtime.log_params_norm", "log the parameters' L2 norm"},
    {"--log-num-zeros-in-grad", "log_num_zeros_in_grad", Flag, "False", "",
     Runtime, Honoured, "runtime.log_num_zeros",
     "log the number of zeros in the gradients"},
    {"--tensorboard-dir", "tensorboard_dir", Str, "None", "", Runtime, None,
     "runtime.tensorboard_dir", kNoTensorBoard},
    {"--tensorboard-log-interval", "tensorboard_log_interval", Int, "1", "",
     Runtime, None, "", kNoTensorBoard},
    {"--tensorboard-queue-size", "tensorboard_queue_size", Int, "1000", "",
     Runtime, None, "", kNoTensorBoard},
    {"--log-timers-to-tensorboard", "log_timers_to_tensorboard", Flag, "False",
     "", Runtime, None, "", kNoTensorBoard},
    {"--log-batch-size-to-tensorboard", "log_batch_size_to_tensorboard", Flag,
     "False", "", Runtime, None, "", kNoTensorBoard},
    {"--no-log-learnig-rate-to-tensorboard", "log_learning_rate_to_tensorboard",
     NoFlag, "True", "", Runtime, None, "", kNoTensorBoard},
    {"--no-log-loss-scale-to-tensorboard", "log_loss_scale_to_tensorboard",
     NoFlag, "True", "", Runtime, None, "", kNoTensorBoard},
    {"--log-validation-ppl-to-tensorboard", "log_validation_ppl_to_tensorboard",
     Flag, "False", "", Runtime, None, "", kNoTensorBoard},
    {"--log-memory-to-tensorboard", "log_memory_to_tensorboard", Flag, "False",
     "", Runtime, None, "", kNoTensorBoard},
    {"--adlr-autoresume", "adlr_autoresume", Flag, "False", "", Ignorable, None,
     "", "a service of one cluster; --load resumes a run"},
    {"--adlr-autoresume-interval", "adlr_autoresume_interval", Int, "1000", "",
     Ignorable, None, "", "a service of one cluster; --load resumes a run"},
};

std::span<const OptionInfo> dataOptions() { return kData; }
std::span<const OptionInfo> loggingOptions() { return kLogging; }

} // namespace orrery::frontend::megatron
