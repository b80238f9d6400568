"""The engines that the operator has named by URL, and this process's part in them.

An engine is meant by the name of its entry, or by what it calls a model; LLAMA_MCP_URL, or an entry
that is the default, where nothing is named. Names are found as those of other models are: an
entry's first, whole ones before beginnings.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.elsewhere.targets import target_of_entry, target_of_settings
from llama_mcp.llama_server.model_errors import AmbiguousModelError, UnknownModelError
from llama_mcp.llama_server.ready_server import WantedServer
from llama_mcp.models.entries.entry import Entry, RemoteModel, can_be_name
from llama_mcp.models.rows.names import folded
from llama_mcp.settings import LlamaServerSettings

if TYPE_CHECKING:
    from llama_mcp.llama_server.elsewhere.figures import FiguresElsewhere
    from llama_mcp.llama_server.metrics.reader import Reading
    from llama_mcp.llama_server.remote.engine import RemoteEngine
    from llama_mcp.llama_server.remote.look import RemoteLook
    from llama_mcp.llama_server.remote.server import RemoteServer
    from llama_mcp.llama_server.remote.target import RemoteTarget

# The settings without which nobody knows who answers.
NEEDED = ("url", "url_key_file", "url_model")
# What is offered while a name is typed may be as old.
NAMES_AGE_SECONDS = 600.0


class EnginesElsewhere:
    """This process's part in the engines that somebody else runs."""

    def __init__(self, settings: LlamaServerSettings, environment: Mapping[str, str]) -> None:
        """Take what names them.

        Args:
            settings: the operator's.
            environment: what the models of this machine are found with.
        """
        self._settings = settings
        self._environment = environment
        self._engines: dict[RemoteTarget, RemoteEngine] = {}
        self._figures: dict[RemoteTarget, FiguresElsewhere] = {}
        self._served: dict[RemoteTarget, RemoteServer] = {}

    @property
    def may_be(self) -> bool:
        """Whether there can be any: without a URL and a file of models there is none."""
        return self._settings.url is not None or self._settings.models is not None

    async def for_turn(
        self, wanted: WantedServer, running: Collection[str]
    ) -> "RemoteEngine | None":
        """Return the engine that takes a turn; None where a llama-server of ours does.

        A session stays with the model that answered it: with one of an engine here always, with
        one of ours as long as that runs.

        Args:
            wanted: what the turn wants.
            running: the names of the models of ours that run.

        Raises:
            WrongSettingsError: the settings do not say who answers.
            LlamaMCPError: there is no model of that name, or several.
        """
        self._settings.check(NEEDED)
        if not self.may_be:
            return None
        if wanted.model is not None:
            if (exact := await self._exactly(wanted.model)) is not None:
                return exact
            # Before the beginnings of names: no text leaves the machine for a model that runs here.
            if folded(wanted.model) in map(folded, running):
                return None
            if (found := await self.named(wanted.model)) is None:
                await self._refuse_unknown(wanted.model)
            return found
        if wanted.usual_model is not None:
            if (usual := await self._exactly(wanted.usual_model)) is not None:
                return usual
            if wanted.usual_model in running:
                return None
        return await self.default()

    async def meant(self, model: str | None) -> "RemoteEngine | None":
        """Return the engine that a name means, or without one the default; None for one of ours.

        Raises:
            AmbiguousModelError: several models begin so.
        """
        if not self.may_be:
            return None
        return await (self.default() if model is None else self.named(model))

    async def default(self) -> "RemoteEngine | None":
        """Return the engine that is taken when no model is named; None when that is one of ours."""
        if self._settings.url is not None:
            return self._engine(target_of_settings(self._settings))
        return self._of_entry(await self._entry(None))

    async def named(self, name: str) -> "RemoteEngine | None":
        """Return the engine that has a model of that name; None without one.

        Raises:
            AmbiguousModelError: several of its models begin so.
        """
        entry = await self._entry(name)
        if entry is not None or self._settings.url is None or not can_be_name(name):
            return self._of_entry(entry)
        if (exact := await self._at_url(name)) is not None:
            return exact
        begun = [each for each in await self.names() if _begins(each, name)]
        if not begun or await anyio.to_thread.run_sync(self._is_called_so, name):
            return None
        if len(begun) > 1:
            raise AmbiguousModelError(name, begun)
        return await self._at_url(begun[0])

    async def all(self) -> "list[RemoteEngine]":
        """Return every engine that the operator has named, that of LLAMA_MCP_URL first."""
        own = [target_of_settings(self._settings)] if self._settings.url is not None else []
        entries = await anyio.to_thread.run_sync(self._entries)
        targets = [*own, *(target_of_entry(each, self._settings) for each in entries)]
        return [self._engine(target) for target in targets]

    async def look_at_all(self) -> "list[tuple[RemoteEngine, RemoteLook]]":
        """Return what they are, asked side by side; within seconds."""
        engines = await self.all()
        looks: dict[int, RemoteLook] = {}

        async def look(number: int) -> None:
            looks[number] = await engines[number].look()

        async with anyio.create_task_group() as tasks:
            for number in range(len(engines)):
                tasks.start_soon(look, number)
        return [(engine, looks[number]) for number, engine in enumerate(engines)]

    async def names(self) -> list[str]:
        """Return the names by which their models are known, for whoever types one."""
        if self._settings.url is None:
            return []
        engine = self._engine(target_of_settings(self._settings))
        return names_of(engine, await engine.look(max_age_seconds=NAMES_AGE_SECONDS))

    async def check_reached(self) -> None:
        """Raise what keeps the engine at LLAMA_MCP_URL from telling its models, if anything."""
        if self._settings.url is not None:
            look = await self._engine(target_of_settings(self._settings)).look()
            if look.problem is not None:
                raise look.problem

    async def ready_server(self, engine: "RemoteEngine") -> "RemoteServer":
        """Return what stands for an engine in a turn; raises as RemoteEngine.ready_server."""
        server = await engine.ready_server()
        self._served[engine.target] = server
        return server

    def has_served(self, engine: "RemoteEngine", serving_id: str) -> bool:
        """Tell whether a turn of this process has that engine."""
        # What it tells of itself changes the id, for all of its servers together.
        server = self._served.get(engine.target)
        return server is not None and server.serving_id == serving_id

    def serves(self, serving_id: str) -> bool:
        """Tell whether a turn of this process has any of them."""
        return any(server.serving_id == serving_id for server in self._served.values())

    async def are_named(self) -> bool:
        """Tell whether the operator's file has entries with a URL."""
        return bool(await anyio.to_thread.run_sync(self._entries))

    async def read_figures(self, engine: "RemoteEngine") -> "Reading":
        """Return what an engine tells of its work."""
        return await self.figures_of(engine).read()

    def figures_of(self, engine: "RemoteEngine") -> "FiguresElsewhere":
        """Return the reader of an engine's figures, which compares with what it has read before."""
        from llama_mcp.llama_server.elsewhere.figures import FiguresElsewhere

        if engine.target not in self._figures:
            self._figures[engine.target] = FiguresElsewhere(engine)
        return self._figures[engine.target]

    async def aclose(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            await engine.aclose()

    def _engine(self, target: "RemoteTarget") -> "RemoteEngine":
        if target not in self._engines:
            from llama_mcp.llama_server.remote.engine import RemoteEngine

            salt = str(self._settings.state_dir)
            patience_seconds = self._settings.unresponsive_seconds
            self._engines[target] = RemoteEngine(
                target, salt=salt, patience_seconds=patience_seconds
            )
        return self._engines[target]

    def _of_entry(self, entry: Entry | None) -> "RemoteEngine | None":
        if not isinstance(entry, RemoteModel):
            return None
        return self._engine(target_of_entry(entry, self._settings))

    async def _exactly(self, name: str) -> "RemoteEngine | None":
        """Return the engine that has just that name, as the archive has it."""
        entries = await anyio.to_thread.run_sync(self._entries)
        for entry in entries:
            if entry.name == name:
                return self._of_entry(entry)
        return await self._at_url(name) if self._settings.url is not None else None

    async def _at_url(self, name: str) -> "RemoteEngine | None":
        """Return the engine at LLAMA_MCP_URL for a model that it calls so, in whatever case."""
        own = self._engine(target_of_settings(self._settings))
        look = await own.look()
        for spelled in (str, folded):
            if spelled(name) in (spelled(own.shown_model), spelled(look.model or "")):
                return own
            for each in look.models:
                if spelled(each) == spelled(name):
                    return self._engine(target_of_settings(self._settings, each))
        return None

    async def _refuse_unknown(self, name: str) -> None:
        """Raise for a name that neither the engine at LLAMA_MCP_URL nor this machine has."""
        if self._settings.url is None or not can_be_name(name):
            return  # who starts models says what is wrong with it
        if await self._entry(name) is not None:
            return
        if await anyio.to_thread.run_sync(self._is_here, name):
            return
        await self.check_reached()
        raise UnknownModelError(name, await self.names())

    async def _entry(self, name: str | None) -> Entry | None:
        """Return the entry that a name means; of a wrong file of models those tell who need it."""
        if self._settings.models is None:
            return None
        return await anyio.to_thread.run_sync(self._find_entry, name)

    def _find_entry(self, name: str | None) -> Entry | None:
        from llama_mcp.models.library import library_of
        from llama_mcp.models.naming import find_entry

        with suppress(LlamaMCPError):
            return find_entry(name, library_of(self._settings, self._environment))
        return None

    def _entries(self) -> Sequence[RemoteModel]:
        """Return the entries with a URL; none of a file that is wrong. Blocking."""
        from llama_mcp.models.named_models import named_in

        with suppress(LlamaMCPError):
            return named_in(self._settings.models).elsewhere()
        return ()

    def _is_called_so(self, name: str) -> bool:
        """Tell whether a model of this machine has just that name. Blocking."""
        from llama_mcp.models.library import library_of
        from llama_mcp.models.naming import is_called_exactly

        return is_called_exactly(name, library_of(self._settings, self._environment))

    def _is_here(self, name: str) -> bool:
        """Tell whether a model of this machine is meant by a name. Blocking."""
        from llama_mcp.models.library import library_of
        from llama_mcp.models.naming import find_model

        with suppress(LlamaMCPError):
            find_model(name, library_of(self._settings, self._environment))
            return True
        return False


def names_of(engine: "RemoteEngine", look: "RemoteLook") -> list[str]:
    """Return by which names an engine's models are known here, the one that is asked for first.

    Args:
        engine: an entry has one name, LLAMA_MCP_URL one for each model that the engine lists.
        look: what it has told of itself.
    """
    if engine.target.name is not None:
        return [engine.target.name]
    own = [engine.shown_model] if look.model is not None else []
    return [*own, *(each for each in dict.fromkeys(look.models) if each != look.model)]


def _begins(whole: str, name: str) -> bool:
    return bool(name.strip()) and folded(whole).startswith(folded(name.strip()))
