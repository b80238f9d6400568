"""A stand-in for NVIDIA's binding, in the names of the real one: no machine here has a driver."""

import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml
import pytest

from llama_mcp.llama_server.engine.nvml import load_nvml


@dataclass(frozen=True)
class Gpu:
    """What NVML says of one GPU; what programs use of it by pid."""

    name: str
    free_bytes: int = 0
    total_bytes: int = 1 << 40
    uuid: str = "GPU-0"
    used: tuple[tuple[int, int], ...] = ()


class Binding(ModuleType):
    """The binding on a machine with these GPUs."""

    NVMLError = pynvml.NVMLError

    def __init__(self, gpus: tuple[Gpu, ...]) -> None:
        super().__init__("pynvml")
        self._gpus = gpus

    def nvmlInit(self) -> None:  # noqa: N802
        return

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:  # noqa: N802
        return self._gpus[index]

    def nvmlDeviceGetName(self, device: Gpu) -> str:  # noqa: N802
        return device.name

    def nvmlDeviceGetUUID(self, device: Gpu) -> bytes:  # noqa: N802
        return device.uuid.encode()  # bytes in older bindings

    def nvmlDeviceGetMemoryInfo(self, device: Gpu) -> Any:  # noqa: N802
        return SimpleNamespace(total=device.total_bytes, free=device.free_bytes)

    def nvmlDeviceGetComputeRunningProcesses(self, device: Gpu) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in device.used]

    def nvmlDeviceGetGraphicsRunningProcesses(self, device: Gpu) -> list[Any]:  # noqa: N802
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


def use_gpus(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu) -> None:
    """Let the machine have these GPUs until the test is over."""
    monkeypatch.setitem(sys.modules, "pynvml", Binding(gpus))
    load_nvml.cache_clear()
