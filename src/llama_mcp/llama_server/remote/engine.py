"""One engine that somebody else runs: asked what it is, and given to turns and rankings."""

from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.llama_server.remote.rank import RemoteRankServer
from llama_mcp.llama_server.remote.server import RemoteServer
from llama_mcp.llama_server.remote.target import RemoteTarget


class RemoteEngine:
    """This process's part in one engine. It is cheap to make, and asks nothing until it is used.

    What it is is found out with a few small questions, kept for a minute, and found out anew when
    it was not reachable. Nothing here polls it, and a proxy's /health is never asked.
    """

    def __init__(self, target: RemoteTarget, *, salt: str) -> None:
        """Take which engine it is.

        Args:
            target: the operator's.
            salt: of this home, such as its path: what is sent as a session's key is a hash of it
                and of the session's id, so that nobody learns the id.
        """
        self.target = target

    async def look(self, *, max_age_seconds: float = 60.0) -> RemoteLook:
        """Return what it is now, or what kept it from being asked (RemoteLook.problem).

        It raises nothing, and takes 5 seconds at most.

        Args:
            max_age_seconds: how old the answer may be; 0 asks in any case.
        """
        raise NotImplementedError

    def last_look(self) -> RemoteLook:
        """Return what is known of it so far, asking nothing."""
        raise NotImplementedError

    async def ready_server(self) -> RemoteServer:
        """Return what stands for it in one turn or one job; another turn gets another.

        Raises:
            RemoteUnreachableError: it does not answer, with what was tried.
            RemoteRefusedError: it wants another key, or has no such model.
            KeyFileError: its key cannot be read.
        """
        raise NotImplementedError

    async def rank_server(self) -> RemoteRankServer:
        """Return what stands for it in a ranking; raises as ready_server.

        Raises:
            CannotRankError: it makes neither vectors nor scores.
        """
        raise NotImplementedError

    async def slots(self) -> object | None:
        """Return the JSON of llama-server's /slots; None where there is none."""
        raise NotImplementedError

    async def metrics_text(self) -> str | None:
        """Return llama-server's Prometheus text; None where there is none."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every connection: what is under way breaks off, and the engine stops it."""
        raise NotImplementedError
