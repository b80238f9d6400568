"""The environment that llama-server gets: what programs and drivers need, nothing that steers it.

The table follows llama.cpp's docs/build.md and docs/backend/*.md, and the manuals of the drivers
that these name. docs/settings.md shows it; tests hold the two together.
"""

from collections.abc import Mapping, Sequence

from llama_mcp.setting_values import NEVER_PASSED

# For whom, and the variables: `NAME*` stands for all that begin so. Case does not matter.
KEPT: Mapping[str, str] = {
    "every program": (
        "HOME LANG LANGUAGE LC_* LOGNAME PATH SHELL SSL_CERT_DIR SSL_CERT_FILE TMPDIR TZ USER "
        "XDG_* LD_LIBRARY_PATH LD_PRELOAD DYLD_*"
    ),
    "programs on Windows": (
        "APPDATA COMSPEC HOMEDRIVE HOMEPATH LOCALAPPDATA NUMBER_OF_PROCESSORS PATHEXT "
        "PROCESSOR_ARCHITECTURE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 "
        "SYSTEMDRIVE SYSTEMROOT TEMP TMP USERNAME USERPROFILE WINDIR"
    ),
    "llama.cpp's backends": "GGML_*",
    "CPU and BLAS": (
        "OMP_* GOMP_* KMP_* MKL_* OPENBLAS_* GOTO_NUM_THREADS BLIS_* AOCL_* VECLIB_* NVPL_* "
        "ARMPL_* ZENDNN* ZDNN_* DNNL_* ONEDNN_* MALLOC_*"
    ),
    "CUDA": "CUDA_* NVIDIA_* CUBLAS_* CUBLASLT_* CUDNN_* NCCL_*",
    "HIP and ROCm": (
        "HIP_* HSA_* ROCM_* ROCR_* ROCBLAS_* HIPBLAS_* HIPBLASLT_* TENSILE_* MIOPEN_* RCCL_* "
        "AMD_* AMDGPU_* GPU_*"
    ),
    "MUSA": "MUSA_* MTHREADS_*",
    "Vulkan": (
        "VK_* MESA_* RADV_* ACO_* ANV_* INTEL_DEBUG NVK_* NAK_* TU_DEBUG PAN_MESA_DEBUG PANVK_* "
        "LVP_* AMDVLK_* DISABLE_LAYER_* ENABLE_LAYER_* DRI_PRIME LIBGL_* __GLX_* __NV_* __VK_* "
        "DISPLAY WAYLAND_DISPLAY VIRGL_*"
    ),
    "Metal": "MTL_* METAL_*",
    "SYCL and oneAPI": (
        "SYCL_* ONEAPI_* UR_* ZE_* ZES_* ZEX_* ZET_* IGC_* NEO_* NEOREADDEBUGKEYS TBBROOT TBB_* "
        "CMPLR_ROOT OCLOCROOT"
    ),
    "OpenCL": "OPENCL_* OCL_* POCL_* RUSTICL_* CL_*",
    "CANN": "ASCEND_* ACL_* ACLNN_* HCCL_* ATB_* NPU_* TOOLCHAIN_HOME DDK_PATH TASK_QUEUE_ENABLE",
    "OpenVINO": "OPENVINO_* OV_* INTEL_OPENVINO_DIR INTEL_CVS_*",
    "Hexagon": "ADSP_LIBRARY_PATH CDSP_* DSP_LIBRARY_PATH HEXAGON_*",
    "MACA": "MACA_* MCCL_*",
    "WebGPU": "DAWN_* WGPU_*",
    "programs that start containers": (
        "DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS* DOCKER_CERT_PATH "
        "DOCKER_API_VERSION DOCKER_DEFAULT_PLATFORM CONTAINER_HOST CONTAINER_SSHKEY "
        "CONTAINERS_CONF* CONTAINERS_STORAGE_CONF CONTAINERS_REGISTRIES_CONF PODMAN_* DBX_* "
        "DBUS_SESSION_BUS_ADDRESS"
    ),
}
_KEPT = tuple(" ".join(KEPT.values()).split())


def child_environment(inherited: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment for llama-server: what it needs, and nothing that configures it.

    Args:
        inherited: the environment that we were started with.
        more: what the operator lets through besides; names, or beginnings with `*` behind. No
            variable that begins with LLAMA_ is among what comes out: llama.cpp reads LLAMA_ARG_*
            for every flag (common/arg.cpp).
    """
    names, beginnings = _taken_apart((*_KEPT, *more))
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.upper().startswith(NEVER_PASSED)
        and (name.upper() in names or name.upper().startswith(beginnings))
    }
    # Without it an abort forks a debugger that hangs on our file handles (llama.cpp: ggml.c).
    return kept | {"GGML_NO_BACKTRACE": "1"}


def _taken_apart(patterns: Sequence[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    names = frozenset(pattern.upper() for pattern in patterns if not pattern.endswith("*"))
    beginnings = (pattern.upper().removesuffix("*") for pattern in patterns if pattern[-1] == "*")
    return names, tuple(beginnings)
