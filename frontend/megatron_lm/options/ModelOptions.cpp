// Options that describe the network, its regularisation and its start values.
#include "frontend/megatron_lm/options/Options.h"

namespace orrery::frontend::megatron {

using enum Kind;
using enum OptionClass;
using enum Effect;

static constexpr OptionInfo kOptions[] = {
    {"--num-layers", "num_layers", Int, "None", "", Model, Honoured,
     "model.num_layers", "L, the number of transformer layers"},
    {"--hidden-size", "hidden_size", Int, "None", "", Model, Honoured,
     "model.hidden_size", "h, the width of the residual stream"},
    {"--ffn-hidden-size", "ffn_hidden_size", Int, "None", "", Model, Honoured,
     "model.ffn_hidden_size", "f, the width of the feed-forward layer; 4h"},
    {"--num-attention-heads", "num_attention_heads", Int, "None", "", Model,
     Honoured, "model.num_attention_heads", "n, the number of heads"},
    {"--kv-channels", "kv_channels", Int, "None", "", Model, Honoured,
     "model.kv_channels", "k, the width of one head; h/n"},
    {"--max-position-embeddings", "max_position_embeddings", Int, "None", "",
     Model, Honoured, "model.max_position_embeddings",
     "rows of the position table"},
    {"--make-vocab-size-divisible-by", "make_vocab_size_divisible_by", Int,
     "128", "", Model, Honoured, "model.padded_vocab_size",
     "the vocabulary is padded to a multiple of this times the "
     "tensor-parallel size; padded rows count in the softmax, so runs with "
     "other tensor-parallel sizes agree only where the padded size does"},
    {"--layernorm-epsilon", "layernorm_epsilon", Float, "1e-5", "", Model,
     Honoured, "model.layernorm_epsilon", "epsilon of every layer norm"},
    {"--apply-residual-connection-post-layernorm",
     "apply_residual_connection_post_layernorm", Flag, "False", "", Model,
     Honoured, "model.residual_post_layernorm",
     "the residual is taken from the layer norm's output"},
    {"--openai-gelu", "openai_gelu", Flag, "False", "", Model, Honoured,
     "model.activation",
     "tanh GELU; the default unless --no-bias-gelu-fusion is given"},
    {"--onnx-safe", "onnx_safe", Bool, "None", "", Ignorable, None, "",
     "a workaround for ONNX export with the same function; nothing is "
     "exported here"},
    {"--bert-no-binary-head", "bert_binary_head", NoFlag, "True", "", Model,
     None, "", "read by BERT only"},

    {"--attention-dropout", "attention_dropout", Float, "0.1", "", Model,
     Honoured, "model.attention_dropout", "dropout of attention weights"},
    {"--hidden-dropout", "hidden_dropout", Float, "0.1", "", Model, Honoured,
     "model.hidden_dropout", "dropout of embeddings and before residuals"},

    {"--seed", "seed", Int, "1234", "", Model, Honoured, "train.seed",
     "start values, dropout and data order; the same at every layout"},
    {"--init-method-std", "init_method_std", Float, "0.02", "", Model, Honoured,
     "model.init_method_std", "weights start as N(0, std)"},
    {"--init-method-xavier-uniform", "init_method_xavier_uniform", Flag,
     "False", "", Model, None, "", "read by the vision transformer only"},

    {"--no-masked-softmax-fusion", "masked_softmax_fusion", NoFlag, "True", "",
     Model, None, "",
     "attention is always one fused kernel and always obeys "
     "--reset-attention-mask"},
    {"--no-bias-gelu-fusion", "bias_gelu_fusion", NoFlag, "True", "", Model,
     Honoured, "model.activation",
     "selects the exact erf GELU, as in the original; fusion itself is "
     "decided by the compiler"},
    {"--no-bias-dropout-fusion", "bias_dropout_fusion", NoFlag, "True", "",
     Ignorable, None, "", "fusion is decided by the compiler"},
    {"--no-query-key-layer-scaling", "apply_query_key_layer_scaling", NoFlag,
     "True", "", Model, None, "",
     "attention scores are scaled once by 1/sqrt(k) in float32; the layer "
     "factor cancels"},
    {"--attention-softmax-in-fp32", "attention_softmax_in_fp32", Flag, "False",
     "", Model, None, "", "the softmax is always computed in float32"},
};

std::span<const OptionInfo> modelOptions() { return kOptions; }

} // namespace orrery::frontend::megatron
