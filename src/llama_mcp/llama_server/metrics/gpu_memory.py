"""How much memory of NVIDIA GPUs llama-server uses, where NVML can tell.

In a container NVML may name the host's pids: then it tells nothing.
"""

from collections.abc import Collection, Iterator
from typing import Any

from llama_mcp.llama_server.engine.nvml import load_nvml, name_of
from llama_mcp.llama_server.metrics.figures import GpuMemory


def gpu_memory_of(pids: Collection[int]) -> list[GpuMemory]:
    """Return what these processes use of each GPU; empty when that is nothing or not known.

    The first call takes as long as the driver does to wake up; so it belongs on a worker thread.
    """
    nvml = load_nvml()
    if nvml is None:
        return []
    try:
        count = nvml.nvmlDeviceGetCount()
        devices = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        uses = [_use(nvml, device, pids) for device in devices]
    except nvml.NVMLError:
        return []
    return [use for use in uses if use is not None]


def _use(nvml: Any, device: Any, pids: Collection[int]) -> GpuMemory | None:
    used_bytes = _used_bytes(nvml, device, pids)
    if not used_bytes:
        return None
    return GpuMemory(
        name=name_of(nvml, device),
        used_bytes=used_bytes,
        total_bytes=int(nvml.nvmlDeviceGetMemoryInfo(device).total),
    )


def _used_bytes(nvml: Any, device: Any, pids: Collection[int]) -> int:
    # One process is in both lists when it computes and draws (Vulkan): it counts once.
    used: dict[int, int] = {}
    for process in _processes(nvml, device):
        if process.pid in pids and process.usedGpuMemory is not None:
            used[process.pid] = max(used.get(process.pid, 0), int(process.usedGpuMemory))
    return sum(used.values())


def _processes(nvml: Any, device: Any) -> Iterator[Any]:
    for question in (
        nvml.nvmlDeviceGetComputeRunningProcesses,
        nvml.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        try:
            yield from question(device)
        except nvml.NVMLError:  # a device that knows only one of them
            continue
