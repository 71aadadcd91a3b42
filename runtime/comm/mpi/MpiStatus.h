// The one way from an MPI error code to a status.
#ifndef ORRERY_RUNTIME_COMM_MPI_MPISTATUS_H
#define ORRERY_RUNTIME_COMM_MPI_MPISTATUS_H

#include "absl/status/status.h"

#include <string_view>

namespace orrery::runtime {

/// Ok for MPI_SUCCESS, else Internal:
///   "MPI_Allreduce on 'tp', member 1 of 4: <MPI's text> (code 15)"
absl::Status toStatus(int code, std::string_view call, std::string_view group,
                      int member, int members);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_MPI_MPISTATUS_H
