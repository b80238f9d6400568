"""The memory that is free, together with what llama-servers that run would leave. Blocking."""

from collections.abc import Sequence
from dataclasses import replace

import psutil

from llama_mcp.llama_server.engine.devices import Device, is_nvidia
from llama_mcp.llama_server.metrics.gpu_memory import gpu_memory_of
from llama_mcp.llama_server.starting.fit_note import available_with
from llama_mcp.models.fitting import Available


def available_without(devices: Sequence[Device], pids: frozenset[int]) -> Available:
    """Return the memory that a llama-server could have once these processes have ended.

    Args:
        devices: the GPUs that it would use, with what is free of them now.
        pids: the processes; none for what is free now.
    """
    now = available_with([_without(device, pids) for device in devices])
    return replace(now, ram_bytes=now.ram_bytes + sum(map(_leaves, pids)))


def _without(device: Device, pids: frozenset[int]) -> Device:
    """Return the GPU with what is free of it once these processes have ended."""
    if not pids:
        return device
    if not is_nvidia(device):  # only the engine can tell, and only of itself
        return replace(device, free_bytes=device.total_bytes)
    used = [use.used_bytes for use in gpu_memory_of(pids) if use.name == device.description]
    free_bytes = device.free_bytes + (max(used) if used else 0)
    return replace(device, free_bytes=min(device.total_bytes, free_bytes))


def _leaves(pid: int) -> int:
    """Return how much more RAM can be had once a process has ended."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    # Pages of files, as of a model that is mapped, count as available already on Linux, which alone
    # tells how many they are.
    return int(memory.rss) - int(getattr(memory, "shared", 0))
