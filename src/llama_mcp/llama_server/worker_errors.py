"""What can go wrong with RPC workers."""

from collections.abc import Sequence

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.errors import UnresponsiveError


class WorkersMissingError(LlamaMCPError):
    """A start needs RPC workers that cannot be used now."""

    next_step = "Once all answer, {start}."

    def __init__(
        self, problems: Sequence[str], working: Sequence[str], waited_seconds: float
    ) -> None:
        """Take what was found.

        Args:
            problems: each names a worker and says why it cannot be used.
            working: the addresses of the others.
            waited_seconds: how long their return was waited for; 0 for not at all.
        """
        waited = f", although they were waited for {waited_seconds:.0f} s" if waited_seconds else ""
        others = ",".join(working)
        without = (
            f'To do without, put "--rpc", "{others}" into extra_args.'
            if others
            else 'To do without, put "--device", "none" (or GPUs of this machine) into extra_args.'
        )
        super().__init__(
            "llama-server was not started, since RPC workers that it needs cannot be used"
            f"{waited}. {'; '.join(problems)}. A worker is started on its own machine "
            f"(ggml-rpc-server, of the same llama.cpp release). {without}"
        )
        self.problems = tuple(problems)
        self.working = tuple(working)

    def after(self, waited_seconds: float) -> "WorkersMissingError":
        """Return the same, once it was waited for them."""
        return WorkersMissingError(self.problems, self.working, waited_seconds)


class WorkersRefusedError(LlamaMCPError):
    """RPC workers answer, and llama-server cannot work with them."""

    next_step = "Then {start}."

    def __init__(self, problems: Sequence[str], advice: str, evidence: Sequence[str]) -> None:
        """Take what was found.

        Args:
            problems: each names a worker and says what keeps llama-server from it.
            advice: what to do about them; sentences.
            evidence: what llama-server has printed.
        """
        super().__init__(
            "llama-server was not started, since it cannot work with RPC workers that it needs. "
            f"{'; '.join(problems)}. {advice}",
            evidence=evidence,
        )


class WorkerSilentError(UnresponsiveError):
    """llama-server generates nothing, since it waits for an RPC worker."""

    next_step = (
        "When the worker goes on, so does llama-server: {chat} again. If it does not come back, "
        "{force_stop}, let somebody start the worker again, then {start}."
    )

    def __init__(self, model: str, worker: str, what: str) -> None:
        LlamaMCPError.__init__(
            self,
            f"llama-server with {model} generates nothing, since it waits for its RPC worker "
            f"{worker}: {what}.",
        )


class WorkersInDoubtError(UnresponsiveError):
    """llama-server generates nothing, and has RPC workers of which none is seen to be at fault."""

    next_step = "{Force_stop}, then {start}: a start asks each worker for a sign of life."

    def __init__(self, silent_seconds: float, model: str, workers: Sequence[str]) -> None:
        LlamaMCPError.__init__(
            self,
            f"llama-server with {model} is unresponsive: nothing came for {silent_seconds:.0f} s, "
            "and it does not generate even one token when it is asked to, although its process "
            f"lives. It uses the RPC workers {', '.join(workers)}; whether one of them stands "
            "still was not established.",
        )
