// Writes the byte-level vocabulary and bytes as text.
#include "tools/orrery-data/ByteVocabulary.h"

#include <fmt/format.h>

namespace orrery::tools {

namespace {

/// Bytes that GPT-2's encoding writes as themselves.
bool standsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
         byte >= 0xae;
}

} // namespace

std::string byteVocabularyJson() {
  std::string json = "{";
  int nextFree = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const int codePoint = standsForItself(byte) ? byte : nextFree++;
    std::string name;
    if (codePoint == '"' || codePoint == '\\')
      name = fmt::format("\\{}", static_cast<char>(codePoint));
    else if (codePoint < 128)
      name = static_cast<char>(codePoint);
    else
      name = fmt::format("\\u{:04x}", codePoint);
    json += fmt::format("\"{}\": {}, ", name, byte);
  }
  return json + fmt::format("\"<|endoftext|>\": {}}}", byteEndOfDocument);
}

std::string printable(std::span<const int64_t> tokens) {
  std::string text;
  for (int64_t token : tokens) {
    if (token == '\n')
      text += "\\n";
    else if (token == '\t')
      text += "\\t";
    else if (token == '\\')
      text += "\\\\";
    else if (token >= ' ' && token <= '~')
      text += static_cast<char>(token);
    else if (token >= 0 && token < 256)
      text += fmt::format("\\x{:02x}", token);
    else if (token == byteEndOfDocument)
      text += "<|endoftext|>";
    else
      text += fmt::format("<{}>", token);
  }
  return text;
}

} // namespace orrery::tools
