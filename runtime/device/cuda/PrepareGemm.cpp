// Matrix products.
#include "runtime/device/cuda/PlanGemms.h"
#include "runtime/device/cuda/Prepare.h"

namespace orrery::runtime::cuda {

Prepared prepareGemm(const plan::Gemm &op, PrepareContext &context) {
  const GemmProblem problem = gemmProblem(op, *context.rank.rankClass);
  absl::StatusOr<PreparedGemm *> gemm = context.gemms.prepare(problem);
  if (!gemm.ok())
    return gemm.status();
  const Place a = context.place(op.a()), b = context.place(op.b()),
              c = context.place(op.c());
  const Place bias = problem.hasBias() ? context.place(op.bias()) : Place(),
              aux = problem.hasAux() ? context.place(op.aux()) : Place();
  return makeOperation(
      (*gemm)->workspaceBytes(),
      [=, gemm = *gemm, hasBias = problem.hasBias(), hasAux = problem.hasAux(),
       firstOverwrites =
           op.first_run_overwrites()](const Site &site) -> absl::Status {
        GemmPointers at;
        at.a = a.in(site.arena, site.microbatch);
        at.b = b.in(site.arena, site.microbatch);
        at.c = c.in(site.arena, site.microbatch);
        if (hasBias)
          at.bias = bias.in(site.arena, site.microbatch);
        if (hasAux)
          at.aux = aux.in(site.arena, site.microbatch);
        at.overwrite = firstOverwrites && site.microbatch == 0;
        return gemm->run(at, site.scratch, site.stream);
      });
}

} // namespace orrery::runtime::cuda
