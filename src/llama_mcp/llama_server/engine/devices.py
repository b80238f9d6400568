"""The GPUs that an engine can put layers on, and what is free of them, as it lists them itself."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anyio.to_thread

from llama_mcp.llama_server.diagnosis.notices import NO_GPU
from llama_mcp.llama_server.engine import nvml
from llama_mcp.llama_server.engine.capabilities import Capabilities, ask
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.errors import EngineUnusableError
from llama_mcp.models.needs import CUDA_CONTEXT_BYTES

LIST_DEVICES = "--list-devices"
_HEADING = "Available devices:"
# Such as `  CUDA0: NVIDIA H100 (81008 MiB, 80500 MiB free)`.
_DEVICE = re.compile(
    r"^\s+(?P<name>\w+): (?P<description>.*?)"
    r"(?: \((?P<total>\d+) MiB(?:, (?P<free>\d+) MiB free)?\))?\s*$",
    re.MULTILINE,
)
# Apple's and other libraries for matrices are listed too, and calculate on the CPU.
_NO_GPU = ("BLAS", "CPU")
# With these the devices are others than the engine has by itself.
_CHANGING = ("--rpc", "--device", "-dev")
_CUDA = re.compile(r"CUDA\d+")
# The GPU is a part of the processor and its memory is RAM: Apple's, Intel's but for Arc cards,
# AMD's that have no number of a card, and NVIDIA's boards. llama.cpp knows it and does not say it.
_APPLE = ("MTL", "Metal")
_SHARING = re.compile(
    r"Intel.*\b(?:U?HD|Iris|Xe) |Intel\(R\) (?:Arc\(TM\) )?Graphics|Intel\(R\) Arc\(TM\) 1\d\dV|"
    r"AMD Radeon(?:\(TM\))? (?:Graphics|\d+M\b|8\d{3}S)|AMD Radeon.*\bVega (?:Series|\d+ Graphics)|"
    r"Radeon Vega|\b(?:GB10|Orin|Xavier|Thor|Tegra)\b|Apple M\d|Adreno|Mali"
)
_MIB = 2**20
# How long a start waits for a list of devices that nobody has asked for.
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, by the engine's name for it.

    Attributes:
        name: Such as `CUDA0`; --device takes it.
        description: What its maker calls it.
        total_bytes: All its memory that programs can have.
        free_bytes: What is free of it.
        is_unified: Whether its memory is RAM.
    """

    name: str
    description: str
    total_bytes: int
    free_bytes: int
    is_unified: bool


# What an engine has listed, by its command and version; asking again can take a driver a second.
_listed: dict[tuple[str, ...], tuple[Device, ...]] = {}
_slow: set[tuple[str, ...]] = set()


async def devices_for_start(
    config: LaunchConfig,
    engine: Engine,
    capabilities: Capabilities,
    environment: Mapping[str, str],
) -> tuple[Device, ...] | None:
    """Return the GPUs that a start may use; None where the engine cannot tell, or not soon.

    The embedded engine is only asked by who wants a GPU: it takes as long as a start of Python,
    and what pip brings has none, but on a Mac, where its memory is RAM.
    """
    is_wanted = bool(config.n_gpu_layers)
    if config.n_gpu_layers == 0 or (engine.kind == "embedded" and not is_wanted):
        return ()
    patience_seconds = math.inf if is_wanted else PATIENCE_SECONDS
    return await list_devices(engine, capabilities, environment, patience_seconds)


async def list_devices(
    engine: Engine,
    capabilities: Capabilities,
    environment: Mapping[str, str],
    patience_seconds: float,
) -> tuple[Device, ...] | None:
    """Return the GPUs and what is free of them now; None when the engine cannot tell.

    An engine is asked once whether it has any, and again for what is free where NVML cannot tell.

    Args:
        engine: the program.
        capabilities: what it knows.
        environment: what it gets.
        patience_seconds: how long it may take. Who has found it to take longer does not ask again.
    """
    key = (*engine.command, capabilities.version)
    known = _listed.get(key)
    if known is not None:
        now = await anyio.to_thread.run_sync(_refreshed, known, environment)
        if now is not None:
            return now
    is_slow = key in _slow and patience_seconds < math.inf
    if is_slow or LIST_DEVICES not in capabilities:
        return None
    devices = None
    with anyio.move_on_after(patience_seconds) as limit:
        try:
            devices = parse_devices(await ask(engine, LIST_DEVICES, dict(environment)))
        except EngineUnusableError:  # a driver that hangs or fails: nothing is known
            return None
    if limit.cancelled_caught:
        _slow.add(key)
    if devices is not None:
        _listed[key] = devices
    return devices


def free_now(
    devices: Sequence[Device], environment: Mapping[str, str], *, has_ended_another: bool
) -> tuple[Device, ...]:
    """Return some of the GPUs that were listed, with what is free of them now. Blocking.

    Args:
        devices: what was listed.
        environment: what llama-server gets.
        has_ended_another: whether a llama-server has ended since. Where nobody but the engine can
            tell what that has left, all memory of a GPU counts as free.
    """
    now = _refreshed(devices, environment)
    if now is None and has_ended_another:
        return tuple(replace(device, free_bytes=device.total_bytes) for device in devices)
    return tuple(devices) if now is None else now


def no_gpu_note(config: LaunchConfig, devices: Sequence[Device] | None) -> tuple[str, ...]:
    """Return what a caller should know who wants layers on a GPU that the engine does not have."""
    is_wanted = config.n_gpu_layers and not set(_CHANGING) & set(config.extra_args)
    if not is_wanted or devices is None or devices:
        return ()
    return (NO_GPU.format(n_gpu_layers=config.n_gpu_layers),)


def is_nvidia(device: Device) -> bool:
    """Tell whether NVML knows a GPU."""
    return bool(_CUDA.fullmatch(device.name))


def parse_devices(text: str) -> tuple[Device, ...] | None:
    """Return the GPUs that an answer to --list-devices names; None when it is no such answer."""
    _, heading, listed = text.partition(_HEADING)
    if not heading:
        return None
    found = (line for line in _DEVICE.finditer(listed) if not line["name"].startswith(_NO_GPU))
    return tuple(map(_device, found))


def _device(line: re.Match[str]) -> Device:
    total = int(line["total"] or 0) * _MIB
    name, description = line["name"], line["description"]
    free = total if line["free"] is None else int(line["free"]) * _MIB
    if _CUDA.fullmatch(name):  # the engine that lists it has a context there, which ends with it
        free = min(total, free + CUDA_CONTEXT_BYTES)
    return Device(
        name=name,
        description=description,
        total_bytes=total,
        free_bytes=free,
        is_unified=name.startswith(_APPLE) or bool(_SHARING.search(description)),
    )


def _refreshed(
    known: Sequence[Device], environment: Mapping[str, str]
) -> tuple[Device, ...] | None:
    """Return the GPUs with what NVML says is free now; None where it cannot tell of just these."""
    if not known:
        return ()
    if not all(map(is_nvidia, known)):
        return None
    now = nvml.free_memory(environment)
    if now is None or [each.name for each in now] != [each.description for each in known]:
        return None
    pairs = zip(known, now, strict=True)
    return tuple(replace(device, free_bytes=free.free_bytes) for device, free in pairs)
