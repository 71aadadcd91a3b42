// One list of operands per kind of instruction.
#include "runtime/plan/InstructionViews.h"

#include "absl/strings/str_cat.h"

namespace orrery::runtime {

static std::vector<Operand> launchOperands(const plan::Launch &launch) {
  std::vector<Operand> operands;
  const int inputs = static_cast<int>(launch.inputs());
  for (int i = 0; i < launch.buffers_size(); ++i)
    operands.push_back({absl::StrCat("buffers[", i, "]"), &launch.buffers(i),
                        inputs == 0  ? Access::READ_WRITE
                        : i < inputs ? Access::READ
                                     : Access::WRITE});
  return operands;
}

static std::vector<Operand> gemmOperands(const plan::Gemm &op) {
  std::vector<Operand> operands = {
      {"a", &op.a(), Access::READ},
      {"b", &op.b(), Access::READ},
      {"c", &op.c(), op.beta() == 0 ? Access::WRITE : Access::READ_WRITE}};
  if (op.has_bias())
    operands.push_back({"bias", &op.bias(), Access::READ});
  if (op.has_aux())
    operands.push_back({"aux", &op.aux(),
                        op.epilogue() == plan::Gemm::BIAS_GELU ? Access::WRITE
                                                               : Access::READ});
  return operands;
}

static std::vector<Operand> attentionOperands(const plan::Attention &op) {
  std::vector<Operand> operands = {{"q", &op.q(), Access::READ},
                                   {"k", &op.k(), Access::READ},
                                   {"v", &op.v(), Access::READ},
                                   {"o", &op.o(), Access::WRITE},
                                   {"lse", &op.lse(), Access::WRITE}};
  if (op.shape().has_document_start())
    operands.push_back(
        {"document_start", &op.shape().document_start(), Access::READ});
  return operands;
}

static std::vector<Operand>
attentionGradOperands(const plan::AttentionGrad &op) {
  std::vector<Operand> operands = {{"q", &op.q(), Access::READ},
                                   {"k", &op.k(), Access::READ},
                                   {"v", &op.v(), Access::READ},
                                   {"o", &op.o(), Access::READ},
                                   {"lse", &op.lse(), Access::READ},
                                   {"grad_o", &op.grad_o(), Access::READ},
                                   {"grad_q", &op.grad_q(), Access::WRITE},
                                   {"grad_k", &op.grad_k(), Access::WRITE},
                                   {"grad_v", &op.grad_v(), Access::WRITE}};
  if (op.shape().has_document_start())
    operands.push_back(
        {"document_start", &op.shape().document_start(), Access::READ});
  return operands;
}

std::vector<Operand> operandsOf(const plan::Instruction &instruction) {
  switch (instruction.kind_case()) {
  case plan::Instruction::kLaunch:
    return launchOperands(instruction.launch());
  case plan::Instruction::kGemm:
    return gemmOperands(instruction.gemm());
  case plan::Instruction::kAttention:
    return attentionOperands(instruction.attention());
  case plan::Instruction::kAttentionGrad:
    return attentionGradOperands(instruction.attention_grad());
  case plan::Instruction::kEmbedding: {
    const plan::Embedding &op = instruction.embedding();
    return {{"table", &op.table(), Access::READ},
            {"ids", &op.ids(), Access::READ},
            {"out", &op.out(), Access::WRITE}};
  }
  case plan::Instruction::kEmbeddingGrad: {
    const plan::EmbeddingGrad &op = instruction.embedding_grad();
    return {{"ids", &op.ids(), Access::READ},
            {"grad_out", &op.grad_out(), Access::READ},
            {"grad", &op.grad(), Access::READ_WRITE}};
  }
  case plan::Instruction::kColumnSum: {
    const plan::ColumnSum &op = instruction.column_sum();
    return {{"in", &op.in(), Access::READ},
            {"out", &op.out(),
             op.accumulate() ? Access::READ_WRITE : Access::WRITE}};
  }
  case plan::Instruction::kCollective:
    return {{"in", &instruction.collective().in(), Access::READ},
            {"out", &instruction.collective().out(), Access::WRITE}};
  case plan::Instruction::kSend:
    return {{"view", &instruction.send().view(), Access::READ}};
  case plan::Instruction::kReceive:
    return {{"view", &instruction.receive().view(), Access::WRITE}};
  case plan::Instruction::kCopy:
    return {{"in", &instruction.copy().in(), Access::READ},
            {"out", &instruction.copy().out(), Access::WRITE}};
  case plan::Instruction::kFill:
    return {{"out", &instruction.fill().out(), Access::WRITE}};
  case plan::Instruction::kFlatReduce:
    return {{"in", &instruction.flat_reduce().in(), Access::READ},
            {"out", &instruction.flat_reduce().out(), Access::WRITE}};
  case plan::Instruction::KIND_NOT_SET:
    return {};
  }
  return {};
}

std::string kindName(const plan::Instruction &instruction) {
  const google::protobuf::FieldDescriptor *field =
      instruction.GetDescriptor()->FindFieldByNumber(instruction.kind_case());
  return field ? field->name() : "nothing";
}

std::string instructionPlace(const plan::RankClass &rankClass,
                             const plan::Program &program, int number) {
  const plan::Instruction &instruction = program.instructions(number);
  return absl::StrCat("class '", rankClass.name(), "', program '",
                      program.name(), "', instruction ", number, " (",
                      kindName(instruction), " '", instruction.label(), "')");
}

} // namespace orrery::runtime
