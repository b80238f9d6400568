"""What the process owns while it serves: llama-server's supervisor, the archive, turns under way.

Each room is imported and built when it is first asked for: clients start probes of us that they end
at once (TypeScript SDK 2 spawns every stdio server twice), and no answer waits for what is not its.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llama_mcp import upkeep
from llama_mcp.callers import LOCAL, Caller
from llama_mcp.errors import LlamaMCPError
from llama_mcp.settings import Settings

if TYPE_CHECKING:
    from llama_mcp.files.border import FileBorder
    from llama_mcp.llama_server.engines import Engines
    from llama_mcp.llama_server.kept_prompts import KeptPrompts
    from llama_mcp.llama_server.metrics.reader import MetricsReader
    from llama_mcp.llama_server.supervisor import Supervisor
    from llama_mcp.llama_server.use import Use
    from llama_mcp.models.download.downloads import Downloads
    from llama_mcp.models.library import Library
    from llama_mcp.observing.known_models import KnownModels
    from llama_mcp.observing.observer import Observer
    from llama_mcp.sessions.archive import Archive
    from llama_mcp.sessions.records import Session
    from llama_mcp.turns.in_flight import InFlight
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn

# Called at once when this process has changed a session: its id, its owner, and if it came or went.
OnSessionChange = Callable[[str, str, bool], None]
# Called at once when this process has done something to llama-server.
OnLlamaServerChange = Callable[[], None]
# Returns whose request is answered, of whom alone sessions are named when users are told.
AskedBy = Callable[[], str]


class Services:
    """The rooms, as the front desk reaches them."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        on_session_change: OnSessionChange,
        on_llama_server_change: OnLlamaServerChange,
        asked_by: AskedBy,
        *,
        only_looks: bool = False,
    ) -> None:
        self.settings = settings
        self._asked_by = asked_by
        self._only_looks = only_looks
        self._environment = environment
        self._tasks = tasks
        self._on_session_change = on_session_change
        self._on_llama_server_change = on_llama_server_change
        self._is_shutting_down = False
        self._metrics_readers: dict[str, MetricsReader] = {}

    @cached_property
    def supervisor(self) -> "Supervisor":
        """The owner of llama-server's life."""
        from llama_mcp.llama_server.supervisor import Supervisor

        if not self._only_looks:
            self._tasks.start_soon(
                self.kept_prompts.sweep, lambda ids: self.archive.existing_ids(ids)
            )
        return Supervisor(
            self.settings,
            self._environment,
            self._tasks,
            turns_underway=self._turns_underway,
            on_change=self._on_llama_server_change,
        )

    @cached_property
    def engines(self) -> "Engines":
        """Whatever answers: what the supervisor owns, and what somebody else runs."""
        from llama_mcp.llama_server.elsewhere.engines import EnginesElsewhere
        from llama_mcp.llama_server.engines import Engines

        others = EnginesElsewhere(self.settings, self._environment)
        return Engines(self.settings, self.supervisor, others)

    @cached_property
    def library(self) -> "Library":
        """All models of this machine."""
        from llama_mcp.models.library import library_of

        return library_of(self.settings, self._environment)

    @cached_property
    def archive(self) -> "Archive":
        """All sessions."""
        from llama_mcp.sessions.archive import Archive

        path, only_looks = self.settings.archive_path, self._only_looks
        archive = Archive(path, self._on_session_change, may_replace=not only_looks)
        if not only_looks:
            self._tasks.start_soon(upkeep.take_finished, self)
        return archive

    def existing_archive(self) -> "Archive | None":
        """Return all sessions; None where there was none yet. It looks at a disk."""
        return self.archive if self.settings.archive_path.exists() else None

    @cached_property
    def in_flight(self) -> "InFlight":
        """The turns under way."""
        from llama_mcp.llama_server.left_replies import LeftRunReplies
        from llama_mcp.turns.in_flight import InFlight

        in_flight = InFlight(
            self.engines,
            LeftRunReplies(self.supervisor, self.settings.runs_dir),
            self.archive,
            self._tasks,
            traces_content=self.settings.trace_content,
        )
        in_flight.is_shutting_down = self._is_shutting_down
        return in_flight

    @cached_property
    def kept_prompts(self) -> "KeptPrompts":
        """What is kept on disk of sessions' prompts."""
        from llama_mcp.llama_server.kept_prompts import KeptPrompts

        return KeptPrompts(self.settings)

    @cached_property
    def observer(self) -> "Observer":
        """What is going on, put together from the rooms."""
        from llama_mcp.observing.observer import Observer

        return Observer(
            self.engines,
            self._metrics_reader,
            self._in_flight_so_far,
            lambda: self.archive,
            may_run_several=self.settings.max_models > 1,
        )

    @cached_property
    def known_models(self) -> "KnownModels":
        """Which models there are, whether they fit, and which one runs."""
        from llama_mcp.observing.known_models import KnownModels

        return KnownModels(self.settings, self.library, self.engines)

    def _metrics_reader(self, model: str) -> "MetricsReader":
        """Return the reader of a model's figures, which compares with what it has read before."""
        from llama_mcp.llama_server.metrics.reader import MetricsReader

        if model not in self._metrics_readers:
            reader = MetricsReader(self.supervisor.attachment, self.archive.last_change)
            self._metrics_readers[model] = reader
        return self._metrics_readers[model]

    @cached_property
    def downloads(self) -> "Downloads":
        """Models that are fetched, or were."""
        from llama_mcp.models.download.downloads import Downloads

        return Downloads(self.settings, self._environment, self.supervisor.available_bytes)

    def file_border(self, client_folders: Sequence[Path], caller: Caller = LOCAL) -> "FileBorder":
        """Return which files a caller may name; it looks at disks. Raises as `border_of` does."""
        from llama_mcp.files.border import border_of

        own = (self.settings.archive_path.parent, self.settings.state_dir)
        return border_of(self.settings, client_folders, own, caller.file_dirs, caller.save_dirs)

    async def unfinished(self, session_ids: Collection[str], *, owner: str) -> dict[str, str]:
        """Return how the last turn stands of those of the owner's whose reply is not whole.

        It is in_progress, waiting (for a slot or its model, in this process) or interrupted.
        """
        from llama_mcp.sessions.records import WAITING

        waiting = {turn.session_id for turn in self.own_turns() if turn.reply.is_waiting}
        states = await self.archive.unfinished(session_ids, owner=owner)
        return {each: WAITING if each in waiting else state for each, state in states.items()}

    def own_turns(self) -> "list[Turn | Job]":
        """Return the turns of this process that are not over."""
        in_flight = self._in_flight_so_far()
        return in_flight.open_turns() if in_flight else []

    def _in_flight_so_far(self) -> "InFlight | None":
        """Return the turns under way; None while there was none, which then makes nothing."""
        return self.__dict__.get("in_flight")

    async def _turns_underway(self) -> "list[Use]":
        """Return the turns that are not over: of all processes, or our own if that is not known."""
        from llama_mcp.observing.uses import own_uses, uses_of

        own = self.own_turns()
        try:
            await self.take_finished()
            underway = await self.archive.turns_underway()
        except LlamaMCPError:
            return own_uses(own, self._asked_by())
        return uses_of(underway, own, self._asked_by())

    async def delete_session(self, session_id: str, *, owner: str) -> "Session":
        """Delete a session of the owner's, and what is kept of its prompts; return what it was."""
        session_id = await self.archive.find_id(session_id, owner=owner)
        await self.archive.check_idle(session_id, owner=owner)
        runs = await self.archive.runs_of(session_id)
        # First: whoever is killed in between leaves no files of which nobody knows whose they are.
        await self.kept_prompts.forget(session_id, runs)
        return await self.archive.delete_session(session_id, owner=owner)

    async def read_on(self, session_id: str, *, owner: str) -> None:
        """Bring the session's last turn up to date if the process that received it has ended."""
        if left := await self.archive.left_turn(session_id, owner=owner):
            await self.in_flight.take_over(left.session_id, owner=owner)

    async def take_finished(self) -> None:
        """Take into the archive what has ended of the replies whose processes have."""
        # Mostly there is nothing: then no more is built.
        if await self.archive.left_turns() or await upkeep.has_streams(self.settings):
            await self.in_flight.take_finished()

    def announce_shutdown(self) -> None:
        """Let turns know that the process ends, so that they are not taken for cancelled."""
        self._is_shutting_down = True
        if "in_flight" in self.__dict__:
            self.in_flight.is_shutting_down = True
        if "archive" in self.__dict__:
            self.archive.shorten_waits()

    async def aclose(self) -> None:
        """Close what was built."""
        if "engines" in self.__dict__:
            await self.engines.elsewhere.aclose()
        if "supervisor" in self.__dict__:
            await self.supervisor.aclose()
        if "archive" in self.__dict__:
            await self.archive.close()
