"""What can go wrong with a llama-server: found, started, talked to, stopped."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.errors import EVIDENCE_HEADING, LlamaMCPError
from llama_mcp.llama_server.use import Use
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted


class EngineNotFoundError(LlamaMCPError):
    """There is no llama-server at the path that was given, or none was found."""

    def __init__(self, looked: str, advice: str) -> None:
        super().__init__(f"No llama-server was found: {looked}. {advice}")


class EngineUnusableError(LlamaMCPError):
    """A file that is there but cannot be run as llama-server."""

    def __init__(self, path: str, problem: str, advice: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be used as llama-server: {problem}. {advice}")


class OperatorsValueError(LlamaMCPError):
    """What is wrong was not passed by the caller: the operator has set it."""

    def __init__(self, cause: LlamaMCPError, parameter: str) -> None:
        super().__init__(
            f"The call did not pass {parameter}: the value is the operator's, from "
            f"LLAMA_MCP_{parameter.upper()}. Pass {parameter} in the call, or ask the user to "
            "correct the setting.",
            cause=cause,
        )


class EntrysValueError(LlamaMCPError):
    """What is wrong was not passed by the caller: it stands in the operator's file of models."""

    def __init__(self, cause: LlamaMCPError, parameter: str, name: str, file: Path) -> None:
        instead = "a model" if parameter == "model_path" else parameter
        super().__init__(
            f"The call did not pass {parameter}: the value is that of {name!r} in "
            f"{visible_line(str(file))}, the operator's file of models. Pass {instead} in the "
            "call, or ask the user to correct the file.",
            cause=cause,
        )


class PortTakenError(LlamaMCPError):
    """Another program listens on the port."""

    def __init__(self, port: int, holder: str) -> None:
        self.port = port
        super().__init__(
            f"Port {port} is taken by {holder}. Pass another port, or port=0 for any free one."
        )


class PortUnusableError(LlamaMCPError):
    """The system does not let llama-server listen on the port, though nobody else does."""

    def __init__(self, port: int, problem: str, advice: str) -> None:
        self.port = port
        super().__init__(
            f"llama-server cannot listen on 127.0.0.1 port {port}: {problem}. {advice}"
        )


class NotRunningError(LlamaMCPError):
    """No llama-server runs."""

    next_step = "{Start} first."

    def __init__(self, last_exit: str | None = None, elsewhere: Sequence[str] = ()) -> None:
        why = f": {last_exit.rstrip('.')}" if last_exit else ""
        here = " here" if elsewhere else ""
        super().__init__(" ".join((f"No llama-server is running{here}{why}.", *elsewhere)))


class AlreadyRunningError(LlamaMCPError):
    """A llama-server runs with other settings."""

    next_step = "{Stop} first, or {replace} to stop it and start this one."

    def __init__(self, running: str, differences: Sequence[str]) -> None:
        super().__init__(
            f"A different llama-server is already running: {running}. It differs in "
            f"{', '.join(differences)}."
        )


class UnreadableRunError(LlamaMCPError):
    """A llama-server runs whose record cannot be read, so that nobody can talk to it."""

    next_step = "{Stop_last}, then {start}."

    def __init__(self, folder: str, pid: int | None, problem: str) -> None:
        super().__init__(
            f"A llama-server runs (pid {pid}) whose record in {folder} cannot be read "
            f"({problem}), so its address and settings are not known."
        )


class StartFailedError(LlamaMCPError):
    """llama-server died while loading, or was not ready in time."""

    def __init__(self, what: str, advice: str, evidence: Sequence[str]) -> None:
        super().__init__(f"llama-server did not start: {what}. {advice}", evidence=evidence)


class StartInterruptedError(LlamaMCPError):
    """A stop came in while llama-server was loading."""

    next_step = "{Start} again if it is still wanted."

    def __init__(self) -> None:
        super().__init__(
            "llama-server was stopped while it was loading (by a stop, or by another client that "
            "replaced it)."
        )


class NotStartedForTurnError(LlamaMCPError):
    """A turn has waited for a llama-server that did not get ready."""

    next_step = "Once that is set right, {start}, then send it again."

    def __init__(self, cause: LlamaMCPError) -> None:
        super().__init__("The message waited for it and is kept.", cause=cause)


class StillLoadingError(LlamaMCPError):
    """Nobody watches the loading of the model any more, and it is not ready."""

    next_step = "{Status} to see how far it is, then chat again."

    def __init__(self, loading_seconds: float) -> None:
        super().__init__(
            f"llama-server is still loading the model, for {loading_seconds:.0f} s now, and "
            "nothing was sent to it."
        )


_LATER = "Call again when they are done, or {force_stop}."
_IDLE = "{Force_stop} to stop it all the same: no reply is lost, and it can be started again."


class InUseError(LlamaMCPError):
    """Other clients or turns use the llama-server that is to be stopped."""

    next_step = "{Wait} or {cancel} in the session that generates, or {force_stop}."

    def __init__(self, uses: Sequence[Use | str], model: str | None) -> None:
        """Take what is used, and by whom.

        Args:
            uses: sessions that generate, clients, or what is known of them in words.
            model: its name; None where it is not known.
        """
        others = [use for use in uses if isinstance(use, Use) and use.session == ""]
        told = [str(use) for use in uses if use not in others]
        if others:
            have = "has a reply" if len(others) == 1 else "have replies"
            told.append(f"{counted(len(others), 'other')} {have} under way")
        is_own = any(isinstance(use, str) or use.session for use in uses)
        super().__init__(
            f"llama-server{f' with {model}' if model else ''} is in use: {'; '.join(told)}. "
            "Nothing was stopped.",
            next_step=None if is_own else _LATER if others else _IDLE,
        )


class NotOursError(LlamaMCPError):
    """What answers is not the llama-server that was started."""

    next_step = "{Force_stop}, then {start}."

    def __init__(self, url: str, model: str, difference: str) -> None:
        super().__init__(
            f"What answers at {url} is not proved to be the llama-server that was started with "
            f"{model}: {difference}. Nothing was sent."
        )


class UnresponsiveError(LlamaMCPError):
    """llama-server's process lives, but it generates nothing."""

    next_step = "{Force_stop}, then {start}; if it comes back, lower n_gpu_layers or ctx_size."

    def __init__(self, silent_seconds: float, model: str) -> None:
        super().__init__(
            f"llama-server with {model} is unresponsive: nothing came for "
            f"{silent_seconds:.0f} s, and it does not generate even one token when it is asked to, "
            "although its process lives. This happens after a GPU error."
        )


class StalledReplyError(LlamaMCPError):
    """One reply has stopped growing while llama-server generates others."""

    next_step = "Send the message again; if it stops again, {stop}, then {start}."

    def __init__(self, silent_seconds: float, model: str) -> None:
        super().__init__(
            f"The reply has stopped: nothing of it came for {silent_seconds:.0f} s and its slot "
            f"stands still, although llama-server with {model} answers others."
        )


class CrashLoopError(LlamaMCPError):
    """llama-server has crashed too often to be restarted automatically."""

    next_step = "Change what that names, then {start}."

    def __init__(self, times: int, minutes: float, first_failure: str) -> None:
        # In the record of an older llama-mcp the lines of the log stand behind it.
        first, _, evidence = first_failure.partition(EVIDENCE_HEADING)
        super().__init__(
            "llama-server is in a crash loop: it was started again "
            f"{counted(times, 'time')} within {counted(round(minutes), 'minute')} and crashed each "
            f"time. The first time: {first}",
            evidence=[line.strip() for line in evidence.splitlines() if line.strip()],
        )


class ReplaceFailedError(LlamaMCPError):
    """The new llama-server did not start; the one it replaced is started again."""

    next_step = "{Status} to see when it is ready."

    def __init__(self, cause: LlamaMCPError, old: str) -> None:
        super().__init__(
            f"The llama-server that it was to replace ({old}) is being started again.", cause=cause
        )


class StopFailedError(LlamaMCPError):
    """llama-server did not end."""

    next_step = "{Status} to look again."

    def __init__(self, pid: int | None) -> None:
        super().__init__(
            f"llama-server (pid {pid}) did not end although it was killed; the operating system "
            "has not let go of it (a driver that hangs does this)."
        )


class OutlivedStopError(LlamaMCPError):
    """What was stopped had llama-server run by something that is no process of its own."""

    next_step = "End that first, as its wrapper would (for a container: docker stop)."

    def __init__(self, engine: str, url: str, holder: str) -> None:
        super().__init__(
            f"{engine} and all that it had started have ended, but the llama-server for which it "
            f"was started still answers at {url}: its port belongs to {holder}, which is no "
            "process of ours and was left alone."
        )


class CrashedError(LlamaMCPError):
    """llama-server ended by itself after it was ready."""

    next_step = "{Start} to go on."
    can_go_on = True

    def __init__(self, what: str, advice: str, evidence: Sequence[str]) -> None:
        situation = " ".join(filter(None, (f"llama-server has crashed: {what}.", advice)))
        super().__init__(situation, evidence=evidence)


class StateFolderError(LlamaMCPError):
    """The folder of runs cannot be read or written."""

    next_step = "Or ask the user to set LLAMA_MCP_HOME to another folder."

    def __init__(self, folder: str, problem: str, advice: str) -> None:
        what = f"The folder {folder}, where runs of llama-server are recorded, cannot be used"
        super().__init__(f"{what}: {problem}. {advice}")


class CompletionError(LlamaMCPError):
    """llama-server refused a chat request, or broke it off."""

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(
            f"llama-server could not complete the chat: {problem}.", next_step=next_step
        )
        self.problem = problem


class LlamaServerLostError(CompletionError):
    """The connection to llama-server failed."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "{Status} to see whether llama-server still runs.")
