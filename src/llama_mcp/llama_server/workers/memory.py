"""What memory RPC workers have, as llama-server lists it, and what keeps the two apart."""

from collections.abc import Mapping, Sequence

import anyio
import psutil

from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import Diagnosis, diagnose
from llama_mcp.llama_server.engine.capabilities import Capabilities, answer_of
from llama_mcp.llama_server.engine.devices import LIST_DEVICES, Device, parse_devices
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.workers.wanted import RPC, RPC_DEVICE, host_and_port

# Of llama.cpp: a failure would wait for a debugger.
_NO_BACKTRACE = {"GGML_NO_BACKTRACE": "1"}
_CLOSED = "Remote RPC server crashed or returned malformed response"
_LOOPBACK = ("127.", "localhost", "::1")
# What a worker's CPU device says is in MiB.
_SAME_BYTES = 2 * 2**20


async def list_workers(
    addresses: Sequence[str],
    engine: Engine,
    capabilities: Capabilities,
    environment: Mapping[str, str],
    patience_seconds: float,
) -> tuple[Device, ...] | Diagnosis | None:
    """Return the devices of workers that answer; each one's description is its address.

    llama-server greets each worker for it, so this also tells what keeps the two apart: another
    version of the protocol, or a tunnel that ends nowhere.

    Args:
        addresses: of workers that are free: one that serves another llama-server never answers.
        engine: the program.
        capabilities: what it knows.
        environment: what it gets.
        patience_seconds: how long it may take.

    Returns:
        None when it takes longer, or cannot list devices; a Diagnosis of what is in the way.
    """
    if LIST_DEVICES not in capabilities or RPC not in capabilities:
        return None
    options = [RPC, ",".join(addresses), LIST_DEVICES]
    with anyio.move_on_after(patience_seconds):
        try:
            code, lines = await answer_of(engine, options, {**environment, **_NO_BACKTRACE})
        except OSError:
            return None
        if code:
            return _why_apart(code, lines, engine)
        devices = parse_devices("\n".join(lines)) or ()
        return tuple(device for device in devices if device.name.startswith(RPC_DEVICE))
    return None


async def why_refused(
    addresses: Sequence[str],
    engine: Engine,
    capabilities: Capabilities,
    environment: Mapping[str, str],
    patience_seconds: float,
) -> dict[str, Diagnosis]:
    """Return which of some workers llama-server cannot work with; each is asked alone.

    Args: as `list_workers`.
    """
    found: dict[str, Diagnosis] = {}

    async def ask(address: str) -> None:
        listed = await list_workers([address], engine, capabilities, environment, patience_seconds)
        if isinstance(listed, Diagnosis):
            found[address] = listed

    async with anyio.create_task_group() as tasks:
        for address in addresses:
            tasks.start_soon(ask, address)
    return found


def _why_apart(code: int, lines: Sequence[str], engine: Engine) -> Diagnosis | None:
    """Return what keeps llama-server from workers; None when it failed for another reason."""
    facts = LaunchFacts("", 0, 0, 1, None, (), engine_path=engine.path)
    found = diagnose(code, None, lines, facts)
    if any(_CLOSED in line for line in lines):
        return Diagnosis(
            "it closes the connection when llama-server greets it",
            "A tunnel whose far end is not there does that.",
            found.evidence,
        )
    return found if RPC_DEVICE in found.cause else None


def counted_devices(devices: Sequence[Device]) -> tuple[Device, ...]:
    """Return the devices of workers, each memory once.

    Workers of one machine each tell all memory of that machine, and one on this machine tells ours.
    The far end of a tunnel has an address of this machine, so it goes by its memory.
    """
    by_address: dict[str, list[Device]] = {}
    for device in devices:
        by_address.setdefault(device.description, []).append(device)
    counted: dict[tuple[object, ...], list[Device]] = {}
    ours = psutil.virtual_memory().total
    for address, own in by_address.items():
        host, port = host_and_port(address)
        is_near = host.startswith(_LOOPBACK)
        if is_near and all(abs(each.total_bytes - ours) <= _SAME_BYTES for each in own):
            continue
        # Behind a tunnel each port may be another machine.
        machine = (host, port if is_near else 0, *(each.total_bytes for each in own))
        counted.setdefault(machine, own)
    return tuple(device for own in counted.values() for device in own)
