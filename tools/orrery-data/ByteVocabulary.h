// The byte-level vocabulary: a token is a byte, plus one for end of document.
#ifndef ORRERY_TOOLS_ORRERYDATA_BYTEVOCABULARY_H
#define ORRERY_TOOLS_ORRERYDATA_BYTEVOCABULARY_H

#include <cstdint>
#include <span>
#include <string>

namespace orrery::tools {

constexpr int64_t byteEndOfDocument = 256;
constexpr int64_t byteVocabularySize = 257;

/// The vocabulary in the form of GPT-2's vocab.json, `{"\u0100": 0, … ,
/// "<|endoftext|>": 256}`: entry b is the character that GPT-2's byte-level
/// encoding writes for byte b (the byte itself where it is printable, else the
/// next free code point from 256 on). Without merges every byte is a token.
std::string byteVocabularyJson();

/// Tokens as text for people: bytes that are no printable ASCII as \n, \t or
/// \xNN, the end of document as <|endoftext|>, others as <id>.
std::string printable(std::span<const int64_t> tokens);

} // namespace orrery::tools

#endif // ORRERY_TOOLS_ORRERYDATA_BYTEVOCABULARY_H
