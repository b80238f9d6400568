"""llama-server gets the variables that its backends read, and none that would configure it."""

import pytest

from llama_mcp.llama_server.engine.environment import child_environment

OURS = {"GGML_NO_BACKTRACE": "1"}


def passed(*names: str, more: tuple[str, ...] = ()) -> set[str]:
    """Return which of the variables llama-server gets."""
    return set(child_environment(dict.fromkeys(names, "x"), more)) - set(OURS)


def test_it_keeps_drivers_and_drops_what_would_steer_it() -> None:
    environment = child_environment(
        {
            "PATH": "/bin",
            "LLAMA_ARG_CTX_SIZE": "1",
            "LLAMA_API_KEY": "x",
            "LLAMA_MCP_PORT": "1",
            "CUDA_VISIBLE_DEVICES": "0",
            "AWS_SECRET_ACCESS_KEY": "x",
            "HTTP_PROXY": "x",
        }
    )
    assert environment == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"} | OURS


# One at least of each backend that llama.cpp documents (docs/build.md, docs/backend/*.md).
@pytest.mark.parametrize(
    "name",
    [
        *("CUDA_SCALE_LAUNCH_QUEUES", "GGML_CUDA_ENABLE_UNIFIED_MEMORY", "NVIDIA_VISIBLE_DEVICES"),
        *("HIP_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "ROCBLAS_TENSILE_LIBPATH"),
        *("MUSA_VISIBLE_DEVICES", "RADV_PERFTEST", "VK_ICD_FILENAMES", "AMDVLK_ENABLE_X"),
        *("ONEAPI_DEVICE_SELECTOR", "ZES_ENABLE_SYSMAN", "UR_L0_ENABLE_RELAXED_ALLOCATION_LIMITS"),
        *("ASCEND_RT_VISIBLE_DEVICES", "ASCEND_TOOLKIT_HOME", "GGML_CANN_MEM_POOL"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "KMP_AFFINITY", "ZENDNNL_MATMUL_ALGO"),
        *(
            "GGML_OPENCL_PLATFORM",
            "OCL_ICD_FILENAMES",
            "GGML_OPENVINO_DEVICE",
            "OPENVINO_LIB_PATHS",
        ),
        *("ADSP_LIBRARY_PATH", "GGML_HEXAGON_NDEV", "GGML_VIRTGPU_BACKEND_LIBRARY", "DAWN_DEBUG"),
        *("MTL_DEBUG_LAYER", "LD_PRELOAD", "LD_LIBRARY_PATH", "DOCKER_HOST", "CONTAINER_HOST"),
    ],
)
def test_it_keeps_the_variables_of_every_backend(name: str) -> None:
    assert passed(name, name.lower()) == {name, name.lower()}


def test_the_operator_lets_more_through_by_name_and_by_beginning() -> None:
    names = ("MY_GPU", "MY_GPU_2", "SITE_A", "SITE_B", "OTHER")
    assert passed(*names) == set()
    assert passed(*names, more=("MY_GPU", "site_*")) == {"MY_GPU", "SITE_A", "SITE_B"}


def test_no_variable_of_llama_server_s_own_settings_is_let_through() -> None:
    names = ("LLAMA_ARG_PORT", "LLAMA_API_KEY", "LLAMA_MCP_HOME", "llama_arg_port", "OTHER")
    assert passed(*names, more=("*", "LLAMA_*", "LLAMA_ARG_PORT")) == {"OTHER"}
