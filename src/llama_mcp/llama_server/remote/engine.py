"""One engine that somebody else runs: asked what it is, and given to turns and rankings."""

from contextlib import suppress

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.llama_server.remote.access import FACTS_AGE_SECONDS, Access
from llama_mcp.llama_server.remote.counting import counting_of
from llama_mcp.llama_server.remote.errors import RemoteBusyError, RemoteRefusedError
from llama_mcp.llama_server.remote.figures import metrics_of, slots_of
from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.llama_server.remote.rank import RemoteRankServer, rank_server_of
from llama_mcp.llama_server.remote.server import RemoteServer
from llama_mcp.llama_server.remote.target import RemoteTarget


class RemoteEngine:
    """This process's part in one engine. It is cheap to make, and asks nothing until it is used.

    What it is is found out with a few small questions, kept for a minute, and found out anew when
    it was not reachable. Nothing here polls it, and a proxy's /health is never asked.
    """

    def __init__(self, target: RemoteTarget, *, salt: str, patience_seconds: float = 120.0) -> None:
        """Take which engine it is.

        Args:
            target: the operator's; ValueError where its URL is none.
            salt: of this home, such as its path: what is sent as a session's key is a hash of it
                and of the session's id, so that nobody learns the id.
            patience_seconds: silence of a reply after which the engine is asked for a sign of
                life.
        """
        self.target = target
        self._access = Access(target, salt)
        self._patience_seconds = patience_seconds

    async def look(self, *, max_age_seconds: float = FACTS_AGE_SECONDS) -> RemoteLook:
        """Return what it is now, or what kept it from being asked (RemoteLook.problem).

        It raises nothing, and takes 5 seconds at most.

        Args:
            max_age_seconds: how old the answer may be; 0 asks in any case.
        """
        with suppress(LlamaMCPError):  # last_look tells it
            await self._access.refresh(max_age_seconds)
        return self.last_look()

    def last_look(self) -> RemoteLook:
        """Return what is known of it so far, asking nothing."""
        access = self._access
        facts, problem = access.facts, access.problem
        window, slots = access.window, access.slots
        has_refused = isinstance(problem, RemoteRefusedError | RemoteBusyError)
        return RemoteLook(
            url=access.url,
            is_reachable=has_refused or (facts is not None and problem is None),
            problem=problem,
            kind=facts.kind if facts else None,
            model=access.model,
            models=facts.models if facts else (),
            is_loading=facts is not None and facts.is_loading,
            ctx_size=window[0],
            ctx_size_source=window[1],
            total_slots=slots[0],
            total_slots_source=slots[1],
            counting=counting_of(access),
            has_slots=facts is not None and facts.has_slots,
            has_metrics=facts is not None and facts.has_metrics,
            has_timings=access.has_timings,
            build=facts.build if facts else None,
            model_ctx_size=facts.model_ctx_size if facts else None,
            sees_pictures=facts.sees_pictures if facts else None,
            asked_seconds_ago=access.age_seconds,
        )

    @property
    def shown_model(self) -> str:
        """By which callers know it: the target's name, else its model's."""
        return self._access.shown_model

    async def ready_server(self) -> RemoteServer:
        """Return what stands for it in one turn or one job; another turn gets another.

        Raises:
            RemoteUnreachableError: it does not answer, with what was tried.
            RemoteRefusedError: it wants another key, or has no such model.
            RemoteBusyError: it takes no requests now.
            KeyFileError: its key cannot be read.
        """
        facts = await self._access.refresh()
        load = None
        if facts.is_loading:
            load = ModelLoad(0.0, f"The engine is loading {self.shown_model}")
        return RemoteServer(self._access, self._patience_seconds, load)

    async def rank_server(self) -> RemoteRankServer:
        """Return what stands for it in a ranking; raises as ready_server.

        Raises:
            RemoteCannotRankError: it makes neither vectors nor scores.
        """
        await self._access.refresh()
        return await rank_server_of(self._access)

    async def slots(self) -> object | None:
        """Return the JSON of llama-server's /slots; None where there is none."""
        try:
            return await slots_of(self._access)
        except LlamaMCPError:
            return None

    async def metrics_text(self) -> str | None:
        """Return llama-server's Prometheus text; None where there is none."""
        try:
            return await metrics_of(self._access)
        except LlamaMCPError:
            return None

    async def aclose(self) -> None:
        """Close every connection: what is under way breaks off, and the engine stops it."""
        await self._access.http.aclose()
