// Frames and unframes plans; the layout is drawn in PlanFile.h.
#include "runtime/plan/PlanFile.h"

#include "runtime/plan/AtomicFile.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <xxhash.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orrery::runtime {
namespace {

constexpr absl::string_view kMagic = "ORRERYPL";
constexpr size_t kHeaderBytes = 40;
constexpr size_t kHashedHeaderBytes = 32;

void putLittleEndian(std::string &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t getLittleEndian(absl::string_view in, size_t offset, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(in[offset + i]))
             << (8 * i);
  return value;
}

/// What the first bytes of a file that is not a plan look like.
absl::string_view guessKind(absl::string_view bytes) {
  if (bytes.substr(0, 4) == "\177ELF")
    return "an ELF object";
  if (bytes.substr(0, 9) == absl::string_view("MMIDIDX\0\0", 9))
    return "a token index (.idx)";
  if (bytes.size() > 8 && bytes[8] == '{')
    return "a safetensors file";
  if (!bytes.empty() && (bytes[0] == '{' || bytes[0] == '['))
    return "JSON text";
  return "of an unknown kind";
}

absl::Status checkHeader(absl::string_view bytes, const std::string &name) {
  if (bytes.substr(0, kMagic.size()) !=
      kMagic.substr(0, std::min(bytes.size(), kMagic.size())))
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' is not a plan: expected it to begin with \"",
                     kMagic, "\", found a file ", guessKind(bytes)));
  if (bytes.size() < kHeaderBytes)
    return absl::DataLossError(
        absl::StrCat("plan '", name, "' is truncated: expected a header of ",
                     kHeaderBytes, " bytes, found a file of ", bytes.size()));
  uint64_t stored = getLittleEndian(bytes, kHashedHeaderBytes, 8);
  uint64_t actual = XXH3_64bits(bytes.data(), kHashedHeaderBytes);
  if (stored != actual)
    return absl::DataLossError(absl::StrFormat(
        "plan '%s' is damaged: header checksum expected %016x, found %016x",
        name, stored, actual));
  uint64_t version = getLittleEndian(bytes, 8, 4);
  if (version != kPlanFormat)
    return absl::FailedPreconditionError(absl::StrCat(
        "plan '", name, "' has format version ", version,
        ", this build reads version ", kPlanFormat, "; compile it again"));
  if (getLittleEndian(bytes, 12, 4) != 0)
    return absl::DataLossError(absl::StrCat(
        "plan '", name, "' is damaged: bytes 12..15 expected 0, found ",
        getLittleEndian(bytes, 12, 4)));
  return absl::OkStatus();
}

absl::StatusOr<std::string> readFile(const std::string &path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errnoStatus(errno, absl::StrCat("open plan '", path, "'"));
  struct stat info;
  absl::Status status;
  std::string bytes;
  if (fstat(fd, &info) != 0)
    status = errnoStatus(errno, absl::StrCat("inspect plan '", path, "'"));
  else if (!S_ISREG(info.st_mode))
    status = absl::InvalidArgumentError(
        absl::StrCat("plan '", path, "' is not a regular file"));
  else
    bytes.resize(static_cast<size_t>(info.st_size));
  for (size_t done = 0; status.ok() && done < bytes.size();) {
    ssize_t got = read(fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      status = errnoStatus(errno, absl::StrCat("read plan '", path, "'"));
    else if (got == 0)
      bytes.resize(done);
    else
      done += static_cast<size_t>(got);
  }
  close(fd);
  if (!status.ok())
    return status;
  return bytes;
}

} // namespace

absl::StatusOr<std::string> framePlan(const plan::Plan &plan) {
  plan::Plan stamped = plan;
  stamped.set_format(kPlanFormat);
  size_t length = stamped.ByteSizeLong();
  if (length > static_cast<size_t>(INT_MAX))
    return absl::InvalidArgumentError(
        absl::StrCat("plan of ", length, " bytes exceeds the limit of ",
                     INT_MAX, " bytes of a protobuf message"));
  std::string payload;
  {
    google::protobuf::io::StringOutputStream stream(&payload);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!stamped.SerializeToCodedStream(&coded))
      return absl::InternalError("protobuf could not serialise the plan");
  }
  std::string out(kMagic);
  putLittleEndian(out, kPlanFormat, 4);
  putLittleEndian(out, 0, 4);
  putLittleEndian(out, payload.size(), 8);
  putLittleEndian(out, XXH3_64bits(payload.data(), payload.size()), 8);
  putLittleEndian(out, XXH3_64bits(out.data(), kHashedHeaderBytes), 8);
  return out + payload;
}

absl::Status writePlan(const plan::Plan &plan, const std::string &path) {
  absl::StatusOr<std::string> bytes = framePlan(plan);
  if (!bytes.ok())
    return bytes.status();
  return writeFileAtomically(path, {*bytes});
}

absl::StatusOr<plan::Plan> parsePlan(absl::string_view bytes,
                                     const std::string &name) {
  if (absl::Status status = checkHeader(bytes, name); !status.ok())
    return status;
  uint64_t length = getLittleEndian(bytes, 16, 8);
  absl::string_view payload = bytes.substr(kHeaderBytes);
  if (payload.size() != length)
    return absl::DataLossError(absl::StrCat(
        "plan '", name, "' ",
        payload.size() < length ? "is truncated" : "has trailing bytes",
        ": expected a payload of ", length, " bytes, found ", payload.size()));
  uint64_t stored = getLittleEndian(bytes, 24, 8);
  uint64_t actual = XXH3_64bits(payload.data(), payload.size());
  if (stored != actual)
    return absl::DataLossError(absl::StrFormat(
        "plan '%s' is damaged: checksum of its %d bytes expected %016x, found "
        "%016x",
        name, length, stored, actual));
  plan::Plan plan;
  if (length > static_cast<uint64_t>(INT_MAX) ||
      !plan.ParseFromArray(payload.data(), static_cast<int>(length)))
    return absl::DataLossError(
        absl::StrCat("plan '", name, "' is intact but its payload of ", length,
                     " bytes is not a serialised plan"));
  if (plan.format() != kPlanFormat)
    return absl::FailedPreconditionError(absl::StrCat(
        "plan '", name, "' has schema version ", plan.format(),
        ", this build reads version ", kPlanFormat, "; compile it again"));
  return plan;
}

absl::StatusOr<plan::Plan> readPlan(const std::string &path) {
  absl::StatusOr<std::string> bytes = readFile(path);
  if (!bytes.ok())
    return bytes.status();
  return parsePlan(*bytes, path);
}

} // namespace orrery::runtime
