"""Whether models fit, any number of them, as the settings would start them now.

What the llama-server that runs would leave counts as free, since a start replaces it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.choosing.memory_left import available_without
from llama_mcp.llama_server.choosing.worker_memory import WorkerMemory
from llama_mcp.llama_server.engine.capabilities import Capabilities, learn_capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import PATIENCE_SECONDS, Device, list_devices
from llama_mcp.llama_server.engine.environment import child_environment
from llama_mcp.llama_server.engine.locate import Engine, locate_engine
from llama_mcp.llama_server.engine.memory_options import (
    given_values,
    placed_on,
    start_options,
    used_devices,
)
from llama_mcp.llama_server.runs.members import pids_of
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.fitting import Available, Fits
from llama_mcp.models.needs import StartOptions
from llama_mcp.settings import LlamaServerSettings


async def fits_now(
    running: RunState | None,
    settings: LlamaServerSettings,
    inherited: Mapping[str, str],
    entries: Sequence[NamedModel | None],
    others: Sequence[State] = (),
) -> list[Fits]:
    """Return what judges models, one for each entry; each engine and all memory is measured once.

    Args:
        running: the run that counts, which a start would replace; None without one.
        settings: the operator's.
        inherited: the environment that we were started with.
        entries: models that the operator has named, each judged as it would be started; None for
            every other model.
        others: what else may run, and keep its RPC workers.
    """
    pids = pids_of(running.run.state()) if running is not None and running.is_live else frozenset()
    environment = child_environment(inherited, settings.pass_env)
    worker_memory = WorkerMemory(environment, running, others)
    measured = _Measured(environment, pids)
    fits = []
    for entry in entries:
        asked = Asked(settings, inherited, LaunchArguments(), entry)
        start = await _start_of(asked.config, inherited.get("PATH", ""), measured)
        available = await measured.available(start.devices)
        if start.engine is not None:
            engine, capabilities = start.engine
            addresses = asked.workers(asked.config, capabilities).addresses
            free = await worker_memory.free(addresses, engine, capabilities)
            available = replace(available, workers_bytes=free)
        fits.append(Fits(available, start.options))
    return fits


class _Measured:
    """What one look has found of engines and memory, each asked for once."""

    def __init__(self, environment: dict[str, str], pids: frozenset[int]) -> None:
        self.environment = environment
        self._pids = pids
        self._devices: dict[tuple[str, ...], Sequence[Device]] = {}
        self._available: dict[tuple[Device, ...], Available] = {}

    async def devices(self, engine: Engine, capabilities: Capabilities) -> Sequence[Device]:
        """Return the GPUs that an engine lists; none where it cannot tell."""
        key = tuple(engine.command)
        if key not in self._devices:
            asked = engine, capabilities, self.environment, PATIENCE_SECONDS
            self._devices[key] = await list_devices(*asked) or ()
        return self._devices[key]

    async def available(self, devices: Sequence[Device]) -> Available:
        """Return the memory that a start would have that uses these GPUs."""
        key = tuple(devices)
        if key not in self._available:
            self._available[key] = await anyio.to_thread.run_sync(
                available_without, devices, self._pids
            )
        return self._available[key]


@dataclass(frozen=True, slots=True)
class _Start:
    """What a start would ask for.

    Attributes:
        options: What changes how much memory it takes.
        devices: The GPUs that it would use.
        engine: What it would be started with; None without one.
    """

    options: StartOptions
    devices: Sequence[Device] = ()
    engine: tuple[Engine, Capabilities] | None = None


async def _start_of(config: LaunchConfig, search_path: str, measured: _Measured) -> _Start:
    try:
        engine = await anyio.to_thread.run_sync(locate_engine, config.llama_cpp_path, search_path)
        capabilities = await learn_capabilities(engine, measured.environment)
    except LlamaMCPError:  # a start will say so
        return _Start(StartOptions(config.ctx_size, config.parallel, config.n_gpu_layers))
    values = given_values(config.extra_args, capabilities)
    options = start_options(config, values, capabilities)
    if config.n_gpu_layers == 0:
        return _Start(options, engine=(engine, capabilities))
    used = used_devices(await measured.devices(engine, capabilities), values)
    return _Start(placed_on(options, used), used, (engine, capabilities))
