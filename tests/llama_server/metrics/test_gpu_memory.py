"""GPU memory: NVIDIA's own binding without a driver, and a stand-in for it with two GPUs."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml
import pytest

from llama_mcp.llama_server.metrics.figures import GpuMemory
from llama_mcp.llama_server.metrics.gpu_memory import gpu_memory_of

OURS = 4711


class TwoGPUs(ModuleType):
    """What the binding says on a machine with two GPUs, in the names of the real one."""

    NVMLError = pynvml.NVMLError

    def __init__(self, computing: dict[int, list[Any]], drawing: dict[int, list[Any]]) -> None:
        super().__init__("pynvml")
        self._computing, self._drawing = computing, drawing

    def nvmlInit(self) -> None:  # noqa: N802
        return

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, device: int) -> str | bytes:  # noqa: N802
        return b"GPU B" if device else "GPU A"  # bytes in older bindings

    def nvmlDeviceGetMemoryInfo(self, device: int) -> Any:  # noqa: N802
        return SimpleNamespace(total=(device + 1) * 1000)

    def nvmlDeviceGetComputeRunningProcesses(self, device: int) -> list[Any]:  # noqa: N802
        return self._computing.get(device, [])

    def nvmlDeviceGetGraphicsRunningProcesses(self, device: int) -> list[Any]:  # noqa: N802
        if device not in self._drawing:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return self._drawing[device]


def process(pid: int, used: int | None) -> Any:
    return SimpleNamespace(pid=pid, usedGpuMemory=used)


def test_the_stand_in_has_the_names_of_the_real_binding() -> None:
    names = [name for name in dir(TwoGPUs) if name.startswith("nvml")]
    assert names and all(callable(getattr(pynvml, name)) for name in names)


def test_each_gpu_tells_what_our_processes_use_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = TwoGPUs(
        computing={0: [process(OURS, 300), process(1, 500)], 1: [process(OURS + 1, 20)]},
        drawing={1: [process(OURS, 7), process(OURS + 1, 20)]},
    )
    monkeypatch.setitem(sys.modules, "pynvml", gpus)
    assert gpu_memory_of({OURS, OURS + 1}) == [
        GpuMemory(name="GPU A", used_bytes=300, total_bytes=1000),
        GpuMemory(name="GPU B", used_bytes=27, total_bytes=2000),
    ]


def test_a_gpu_that_does_not_tell_what_a_process_uses_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpus = TwoGPUs(computing={0: [process(OURS, None)]}, drawing={})
    monkeypatch.setitem(sys.modules, "pynvml", gpus)
    assert gpu_memory_of({OURS}) == []


def test_without_the_binding_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_memory_of({OURS}) == []


def test_without_a_driver_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    assert gpu_memory_of({OURS}) == []
