# Configuration of the lit tests: every .mlir file below test/.
import os

import lit.formats

config.name = "orrery"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build_dir, "test", "lit")

path = [config.binary_dir, config.llvm_tools_dir, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
if config.mpi:
    config.available_features.add("mpi")
    config.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    config.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
for tool in ("orrery-opt", "orrery-compile", "orrery-run", "orrery-plan"):
    if os.path.exists(os.path.join(config.binary_dir, tool)):
        config.available_features.add(tool)

config.substitutions.append(("%source_dir", config.source_dir))
config.substitutions.append(("%python", config.python))
config.substitutions.append(
    ("FileCheck", "FileCheck --enable-var-scope --dump-input-filter=error"))
config.substitutions.append(
    ("%tblgen_json",
     f"{config.llvm_tools_dir}/llvm-tblgen --dump-json "
     f"-I {config.source_dir} -I {config.mlir_include_dir}"))
