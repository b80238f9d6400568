"""What NVML says is free, for the GPUs that a program may see; NVML is a stand-in."""

import sys

import pynvml
import pytest

from llama_mcp.llama_server.engine.nvml import free_memory
from tests.support.nvml import Binding, Gpu, use_gpus

THREE = (Gpu("A", 1, uuid="GPU-aa"), Gpu("B", 2, uuid="GPU-bb"), Gpu("C", 3, uuid="GPU-bc"))


def test_the_stand_in_has_the_names_of_the_real_binding() -> None:
    names = [name for name in dir(Binding) if name.startswith("nvml")]
    assert names and all(callable(getattr(pynvml, name)) for name in names)


@pytest.mark.parametrize(
    ("visible", "free"),
    [
        (None, [1, 2, 3]),
        ("2,0", [3, 1]),
        ("1", [2]),
        ("GPU-aa", [1]),
        ("GPU-bb, 0", [2, 1]),
        ("GPU-b", []),  # two begin so
        ("0,7,1", [1]),  # CUDA stops at the first that there is not
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_a_program_sees_the_gpus_that_its_environment_names(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, free: list[int]
) -> None:
    use_gpus(monkeypatch, *THREE)
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    found = free_memory(environment)
    assert found is not None
    assert [gpu.free_bytes for gpu in found] == free


def test_a_driver_that_fails_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use_gpus(monkeypatch, *THREE)

    def lost(device: Gpu) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(Binding, "nvmlDeviceGetMemoryInfo", lambda _, device: lost(device))
    assert free_memory({}) is None


def test_without_the_binding_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert free_memory({}) is None
