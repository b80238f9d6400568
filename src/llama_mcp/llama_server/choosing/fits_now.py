"""Whether models fit, any number of them, as the settings would start them now.

What the llama-server that runs would leave counts as free, since a start replaces it.
"""

from collections.abc import Mapping, Sequence

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.choosing.memory_left import available_without
from llama_mcp.llama_server.engine.capabilities import learn_capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import PATIENCE_SECONDS, Device, list_devices
from llama_mcp.llama_server.engine.environment import child_environment
from llama_mcp.llama_server.engine.locate import locate_engine
from llama_mcp.llama_server.engine.memory_options import (
    given_values,
    placed_on,
    start_options,
    used_devices,
)
from llama_mcp.llama_server.runs.members import pids_of
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.fitting import Fits
from llama_mcp.models.needs import StartOptions
from llama_mcp.settings import LlamaServerSettings


async def fits_now(
    running: RunState | None,
    settings: LlamaServerSettings,
    inherited: Mapping[str, str],
    entry: NamedModel | None = None,
) -> Fits:
    """Return what judges models, with memory measured once.

    Args:
        running: the run that counts; None without one.
        settings: the operator's.
        inherited: the environment that we were started with.
        entry: a model that the operator has named, which is judged as it would be started; None
            for every other.
    """
    config = Asked(settings, inherited, LaunchArguments(), entry).config
    options, devices = await _start_of(config, settings.pass_env, inherited)
    pids = pids_of(running.run.state()) if running is not None and running.is_live else frozenset()
    return Fits(await anyio.to_thread.run_sync(available_without, devices, pids), options)


async def _start_of(
    config: LaunchConfig, pass_env: Sequence[str], inherited: Mapping[str, str]
) -> tuple[StartOptions, Sequence[Device]]:
    """Return what a start would ask for, and the GPUs that it would use; none without an engine."""
    plain = StartOptions(config.ctx_size, config.parallel, config.n_gpu_layers)
    environment = child_environment(inherited, pass_env)
    try:
        engine = await anyio.to_thread.run_sync(
            locate_engine, config.llama_cpp_path, inherited.get("PATH", "")
        )
        capabilities = await learn_capabilities(engine, environment)
    except LlamaMCPError:  # a start will say so
        return plain, ()
    values = given_values(config.extra_args, capabilities)
    options = start_options(config, values, capabilities)
    if config.n_gpu_layers == 0:
        return options, ()
    listed = await list_devices(engine, capabilities, environment, PATIENCE_SECONDS)
    used = used_devices(listed or (), values)
    return placed_on(options, used), used
