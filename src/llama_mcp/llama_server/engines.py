"""Whatever answers: llama-servers of ours, and engines that somebody else runs.

What is ours the Supervisor starts, stops and shows. What the operator has named by URL takes turns
and ranks, and is shown as far as it tells of itself; it is neither started nor stopped.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from llama_mcp.llama_server.elsewhere.engines import NEEDED, EnginesElsewhere
from llama_mcp.llama_server.model_errors import (
    CannotRankError,
    NoRankModelError,
    RunByOthersError,
)
from llama_mcp.llama_server.ready_server import ANY_SERVER, WantedServer
from llama_mcp.llama_server.supervisor import ALL_MODELS, Supervisor
from llama_mcp.settings import LlamaServerSettings

if TYPE_CHECKING:
    from llama_mcp.llama_server.rank_server import RankServer
    from llama_mcp.llama_server.ready_server import ReadyServer
    from llama_mcp.llama_server.runs.named_states import State
    from llama_mcp.llama_server.starting.loading import Progress
    from llama_mcp.llama_server.status import (
        LaunchArguments,
        ServerConfig,
        ServerStatus,
    )


class Engines:
    """All engines that turns of this process can have."""

    def __init__(
        self, settings: LlamaServerSettings, own: Supervisor, elsewhere: EnginesElsewhere
    ) -> None:
        """Take them.

        Args:
            settings: the operator's.
            own: the llama-servers of this home.
            elsewhere: what the operator has named by URL.
        """
        self._settings = settings
        self.own = own
        self.elsewhere = elsewhere

    async def start(
        self,
        arguments: "LaunchArguments",
        *,
        replace: bool,
        wait_seconds: float,
        timeout_seconds: float,
        progress: "Progress",
    ) -> "ServerStatus":
        """Start llama-server, as Supervisor.start.

        Raises:
            RunByOthersError: what is asked for is served by somebody else's engine.
        """
        await self._refuse_elsewhere(arguments.model_path)
        return await self.own.start(
            arguments,
            replace=replace,
            wait_seconds=wait_seconds,
            timeout_seconds=timeout_seconds,
            progress=progress,
        )

    async def stop(self, *, force: bool, model: str | None = None) -> "ServerStatus":
        """Stop llama-server, as Supervisor.stop; without a name one of ours that runs.

        Raises:
            RunByOthersError: what is meant is served by somebody else's engine.
        """
        is_all = model is not None and model.casefold() == ALL_MODELS
        if not is_all and (model is not None or not await self.own.running_models()):
            await self._refuse_elsewhere(model)
        return await self.own.stop(force=force, model=model)

    async def status(self, model: str | None = None) -> "ServerStatus":
        """Return what an engine is doing now, as Supervisor.status.

        Args:
            model: its name; None for the engine that is the default, or what is ours.
        """
        engine = await self.elsewhere.meant(model)
        if engine is None:
            return await self.own.status(model)
        from llama_mcp.llama_server.elsewhere.looking import status_elsewhere

        status = await status_elsewhere(engine)
        return status if model is not None else await self.own.with_models(status)

    async def config(self, model: str | None = None) -> "ServerConfig":
        """Return the settings of what runs, else those of a start, as Supervisor.config."""
        engine = await self.elsewhere.meant(model)
        if engine is None:
            return await self.own.config(model)
        from llama_mcp.llama_server.elsewhere.looking import config_elsewhere

        return await config_elsewhere(engine, self._settings)

    async def is_elsewhere(self, model: str | None = None) -> bool:
        """Tell whether somebody else runs what a name means, or is meant without one."""
        return await self.elsewhere.meant(model) is not None

    async def observe(self, model: str | None = None) -> "State | None":
        """Return the state of a model's last run, as Supervisor.observe; None of one elsewhere."""
        if await self.is_elsewhere(model):
            return None
        return await self.own.observe(model)

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> "ReadyServer":
        """Return what takes a turn.

        EnginesElsewhere.for_turn and TurnServers say which engine that is, and what they raise.
        """
        running = await self.own.running_models() if self.elsewhere.may_be else ()
        engine = await self.elsewhere.for_turn(wanted, running)
        if engine is None:
            return await self.own.ready_server(wanted)
        return await self.elsewhere.ready_server(engine)

    async def rank_server(
        self, *, model: str | None = None, wait_seconds: float = 0.0
    ) -> "RankServer":
        """Return what ranks texts.

        Without a name that is a llama-server of ours where one can be meant, else the engine that
        is the default.

        Raises:
            LlamaMCPError: as TurnServers.rank_server and RemoteEngine.rank_server.
        """
        self._settings.check(NEEDED)
        engine = await self.elsewhere.meant(model)
        if engine is not None and model is not None:
            return await engine.rank_server()
        try:
            return await self.own.rank_server(model=model, wait_seconds=wait_seconds)
        except (CannotRankError, NoRankModelError):
            if engine is None:
                raise
            with suppress(CannotRankError):
                return await engine.rank_server()
            raise

    async def _refuse_elsewhere(self, model: str | None) -> None:
        engine = await self.elsewhere.meant(model)
        if engine is not None:
            await engine.look()
            name = engine.shown_model or "The model"
            raise RunByOthersError(name, engine.last_look().url)
