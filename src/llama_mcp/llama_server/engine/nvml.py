"""NVIDIA's library about GPUs (NVML), and what is free of their memory.

NVML comes with the driver, its Python binding (`pynvml`) with the extra `gpu`. Nothing is imported
before somebody asks. Blocking: the first call takes as long as the driver does to wake up.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

_VISIBLE = "CUDA_VISIBLE_DEVICES"


class FreeMemory(NamedTuple):
    """What a GPU has free."""

    name: str
    free_bytes: int


@cache
def load_nvml() -> Any | None:
    """Return the initialized binding; None without one, or without a driver."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def name_of(nvml: Any, device: Any) -> str:
    """Return what NVIDIA calls a GPU; older bindings give bytes."""
    name = nvml.nvmlDeviceGetName(device)
    return name.decode() if isinstance(name, bytes) else str(name)


def free_memory(environment: Mapping[str, str]) -> list[FreeMemory] | None:
    """Return what is free of each GPU that a program with this environment sees, in its order.

    None where NVML cannot tell. The order of CUDA is that of NVML where the GPUs are of one kind;
    whoever uses it compares the names.
    """
    nvml = load_nvml()
    if nvml is None:
        return None
    try:
        count = nvml.nvmlDeviceGetCount()
        devices = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        seen = _visible(nvml, devices, environment.get(_VISIBLE))
        return [
            FreeMemory(name_of(nvml, device), int(nvml.nvmlDeviceGetMemoryInfo(device).free))
            for device in seen
        ]
    except nvml.NVMLError:
        return None


def _visible(nvml: Any, devices: Sequence[Any], named: str | None) -> list[Any]:
    """Return the devices that a list of numbers and ids names; CUDA stops at the first unknown."""
    if named is None:
        return list(devices)
    seen = []
    for item in map(str.strip, named.split(",")):
        if item.isdecimal():
            found = devices[int(item) : int(item) + 1]
        else:
            found = [each for each in devices if item and _id_of(nvml, each).startswith(item)]
        if len(found) != 1:
            break
        seen.append(found[0])
    return seen


def _id_of(nvml: Any, device: Any) -> str:
    text = nvml.nvmlDeviceGetUUID(device)
    return text.decode() if isinstance(text, bytes) else str(text)
