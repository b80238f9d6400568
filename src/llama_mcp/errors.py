"""What can go wrong, as classes that carry data and write their own text.

Every text says the situation, the evidence and the next step, for a model that will act on it.

LlamaMCPError                       (conversation_errors.py has those of sessions and turns)
├── InvalidArgumentError           a value outside what the parameter takes
├── EngineNotFoundError            no llama-server at the path, on PATH or embedded
├── EngineUnusableError            a llama-server that cannot be executed
├── ModelUnusableError             a model file that is missing, empty or not a GGUF
├── PathNotAllowedError            a file outside the folders that the operator allows
├── PortTakenError                 somebody else listens on the port
├── NotRunningError                nothing was started
├── NotOursError                   what answers is not the llama-server that was started
├── UnresponsiveError              llama-server lives but no longer generates
├── StalledReplyError              one reply has stopped while llama-server generates others
├── CrashLoopError                 it has crashed too often to be started again
├── ReplaceFailedError             the new one did not start, and the old one is started again
├── AlreadyRunningError            a different llama-server runs
├── StartFailedError               it died while loading, or was not ready in time
├── StartInterruptedError          a stop came in while it was loading
├── StillLoadingError              the model is not loaded yet, and the wait is over
├── InUseError                     others use the llama-server that is to be stopped
├── StopFailedError                it did not end
├── CrashedError                   it died after it was ready
├── StateFolderError               the folder of runs cannot be read or written
└── CompletionError                llama-server refused or broke a chat request
    └── LlamaServerLostError       the connection to it failed
"""

from collections.abc import Sequence


class LlamaMCPError(Exception):
    """An anticipated failure; its text is written for the model that reads it."""


class InvalidArgumentError(LlamaMCPError):
    """A value outside what the parameter takes."""

    def __init__(self, parameter: str, problem: str, advice: str) -> None:
        self.parameter = parameter
        super().__init__(f"{parameter} {problem}. {advice}")


class EngineNotFoundError(LlamaMCPError):
    """No llama-server where it was looked for."""

    def __init__(self, looked: str, advice: str) -> None:
        super().__init__(f"No llama-server was found: {looked}. {advice}")


class EngineUnusableError(LlamaMCPError):
    """A llama-server that is there but does not run."""

    def __init__(self, path: str, problem: str, advice: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be used as llama-server: {problem}. {advice}")


class ModelUnusableError(LlamaMCPError):
    """A model file that llama-server could not load."""

    def __init__(self, path: str, problem: str, advice: str) -> None:
        self.path = path
        super().__init__(f"The model {path} cannot be used: {problem}. {advice}")


class PathNotAllowedError(LlamaMCPError):
    """A file outside the folders that the operator allows."""

    def __init__(self, parameter: str, path: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{parameter} names {path}, which is outside the folders that the operator allows: "
            f"{', '.join(allowed)}. Pass a file inside them; only the operator can change "
            "LLAMA_MCP_ALLOWED_PATHS."
        )


class PortTakenError(LlamaMCPError):
    """Somebody else listens on the port."""

    def __init__(self, port: int, holder: str) -> None:
        self.port = port
        super().__init__(
            f"Port {port} is taken by {holder}. Pass another port, or port=0 for any free one."
        )


class NotRunningError(LlamaMCPError):
    """No llama-server runs."""

    def __init__(self, last_exit: str | None = None) -> None:
        before = f" ({last_exit})" if last_exit else ""
        super().__init__(f"No llama-server is running{before}. Call start_llama_server first.")


class AlreadyRunningError(LlamaMCPError):
    """A llama-server with other settings runs."""

    def __init__(self, running: str, differences: Sequence[str]) -> None:
        super().__init__(
            f"A different llama-server is already running: {running}. It differs in "
            f"{', '.join(differences)}. Call stop_llama_server first, or pass replace=true "
            "to stop it and start this one."
        )


class StartFailedError(LlamaMCPError):
    """llama-server died while loading, or was not ready in time."""

    def __init__(self, what: str, advice: str, evidence: Sequence[str]) -> None:
        super().__init__(_with_log(f"llama-server did not start: {what}. {advice}", evidence))


class StartInterruptedError(LlamaMCPError):
    """A stop came in while llama-server was loading."""

    def __init__(self) -> None:
        super().__init__(
            "llama-server was stopped while it was loading (stop_llama_server, or another "
            "client that replaced it). Call start_llama_server again if it is still wanted."
        )


class StillLoadingError(LlamaMCPError):
    """The model is not loaded yet, and the caller's wait is over."""

    def __init__(self, loading_seconds: float) -> None:
        super().__init__(
            f"llama-server is still loading the model, for {loading_seconds:.0f} s now, and "
            "nothing was sent to it. Call status to see how far it is, then chat again."
        )


class InUseError(LlamaMCPError):
    """Others use the llama-server that is to be stopped."""

    def __init__(self, users: str) -> None:
        super().__init__(
            f"llama-server is in use: {users}. It was left running. Wait for them, or call "
            "stop_llama_server with force=true to stop it all the same."
        )


class NotOursError(LlamaMCPError):
    """What answers is not the llama-server that was started."""

    def __init__(self, url: str, model: str) -> None:
        super().__init__(
            f"What answers at {url} is not proved to be the llama-server that was started with "
            f"{model} (its process, its port and the model that it names must all agree). Nothing "
            "was sent. Call stop_llama_server with force=true, then start_llama_server."
        )


class UnresponsiveError(LlamaMCPError):
    """llama-server lives but no longer generates."""

    def __init__(self, silent_seconds: float) -> None:
        super().__init__(
            f"llama-server is unresponsive: nothing came for {silent_seconds:.0f} s, and it does "
            "not generate even one token when it is asked to, although its process lives. This "
            "happens after a GPU error. Call stop_llama_server with force=true, then "
            "start_llama_server; if it comes back, lower n_gpu_layers or ctx_size."
        )


class StalledReplyError(LlamaMCPError):
    """One reply has stopped while llama-server generates others."""

    def __init__(self, silent_seconds: float) -> None:
        super().__init__(
            f"The reply has stopped: nothing of it came for {silent_seconds:.0f} s and its slot "
            "stands still, although llama-server answers others. Send the message again; if it "
            "stops again, stop_llama_server and start_llama_server."
        )


class CrashLoopError(LlamaMCPError):
    """llama-server has crashed too often to be started again by itself."""

    def __init__(self, times: int, minutes: float, first_failure: str) -> None:
        super().__init__(
            f"llama-server is in a crash loop: it was started again {times} times within "
            f"{minutes:.0f} minutes and crashed each time. The first time: {first_failure} "
            "Change what that names, then call start_llama_server."
        )


class ReplaceFailedError(LlamaMCPError):
    """The new llama-server did not start, and the old one is started again."""

    def __init__(self, cause: LlamaMCPError, old: str) -> None:
        super().__init__(
            f"{cause}\nThe llama-server that it was to replace ({old}) is being started again; "
            "status tells when it is ready."
        )


class StopFailedError(LlamaMCPError):
    """llama-server did not end."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(
            f"llama-server (pid {pid}) did not end although it was killed; the operating system "
            "has not let go of it (a driver that hangs does this). Call status to look again."
        )


class CrashedError(LlamaMCPError):
    """llama-server died after it was ready."""

    def __init__(self, what: str, advice: str, evidence: Sequence[str]) -> None:
        text = f"llama-server has crashed: {what}. {advice} start_llama_server starts it again."
        super().__init__(_with_log(text, evidence))


class StateFolderError(LlamaMCPError):
    """The folder of runs cannot be read or written."""

    def __init__(self, folder: str, problem: str) -> None:
        super().__init__(
            f"The folder {folder}, where runs of llama-server are recorded, cannot be used: "
            f"{problem}. Make room or set it right, or let the operator set LLAMA_MCP_HOME to "
            "another folder."
        )


class CompletionError(LlamaMCPError):
    """llama-server refused a chat request, or broke it off."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"llama-server could not complete the chat: {problem}. {advice}")
        self.problem = problem


class LlamaServerLostError(CompletionError):
    """The connection to llama-server failed."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "Call status to see whether llama-server still runs.")


def _with_log(text: str, evidence: Sequence[str]) -> str:
    if not evidence:
        return text
    return text + "\nFrom its log:\n" + "\n".join(f"  {line}" for line in evidence)
