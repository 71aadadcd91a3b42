// Texts of MPI errors.
#include "runtime/comm/mpi/MpiStatus.h"

#include "absl/strings/str_cat.h"

#include <mpi.h>

namespace orrery::runtime {

absl::Status toStatus(int code, std::string_view call, std::string_view group,
                      int member, int members) {
  if (code == MPI_SUCCESS)
    return absl::OkStatus();
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
    length = 13;
  return absl::InternalError(absl::StrCat(
      std::string(call), " on '", std::string(group), "', member ", member,
      " of ", members, ": ", std::string(text, length), " (code ", code, ")"));
}

} // namespace orrery::runtime
