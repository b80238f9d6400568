"""What others ask of a llama-server and see of it: the values that cross the door of this room."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel

from llama_mcp.errors import Words, in_words
from llama_mcp.models.facts import Kind
from llama_mcp.settings import LaunchSettings


class ServerState(StrEnum):
    """The life of a llama-server.

    stopped -> starting -> ready -> stopping -> stopped; crashed when it died by itself,
    unresponsive when its process lives but does not answer, and idle when it was unloaded because
    it had no turn for long: the next turn starts it again as it was.
    """

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    CRASHED = "crashed"
    UNRESPONSIVE = "unresponsive"
    IDLE = "idle"


# What to do in a state, each step as errors.py says.
NEXT_STEPS = {
    ServerState.STOPPED: "{Start} to start one.",
    ServerState.STARTING: "{Status} again to see how far it is.",
    ServerState.CRASHED: "{Start} to start it again.",
    ServerState.UNRESPONSIVE: "{Force_stop} to end it.",
}


class EngineInfo(BaseModel, frozen=True):
    """The llama-server that runs: a build of llama.cpp, or the embedded one."""

    kind: str
    """llama-server, embedded, or remote for one that somebody else runs; another word when another
    version of llama-mcp started it."""
    version: str
    path: str = ""


class AboutModel(BaseModel, frozen=True):
    """What the header of a model's file says of it, as far as its caller can use it."""

    kind: Kind
    context_length: int | None = None
    """Tokens that it was trained for."""
    vision: bool | None = None
    """It sees pictures, with the projector that it is started with; None when it does not."""
    audio: bool | None = None
    """It hears, likewise."""
    sampling: dict[str, float] = {}
    """Its author's defaults, by llama.cpp's names, such as `temp`."""


class SlotCount(BaseModel, frozen=True):
    """How many conversations can generate at once, and how many do."""

    total: int
    busy: int


class Slot(BaseModel, frozen=True):
    """One slot, which holds one conversation; None where this build does not tell."""

    id: int
    is_processing: bool
    ctx_size: int | None = None
    tokens: int | None = None
    """In its window: prompt and reply."""
    prompt_tokens_processed: int | None = None
    """Of the prompt that it reads, or has read for this reply, cached ones left out."""
    generated_tokens: int | None = None
    """Of the reply that it writes."""
    remaining_tokens: int | None = None
    """Until max_tokens; None when there is no such limit."""


class LastExit(BaseModel, frozen=True):
    """How the last llama-server ended when nobody had asked it to."""

    exit_code: int | None = None
    signal: int | None = None
    cause: str
    advice: str
    log_tail: list[str] = []


class RemoteFacts(BaseModel, frozen=True):
    """What is known of an engine that somebody else runs, and how."""

    server: str | None = None
    """llama-server, router (llama-server's) or openai, for any other; None when never reached."""
    ctx_size: int
    ctx_size_source: Literal["told", "setting", "guess"]
    parallel: int
    """Turns that it is asked for at once."""
    parallel_source: Literal["told", "setting", "guess"]
    token_counts: Literal["exact", "estimate"]
    missing: list[str] = []
    """What it does not tell."""


class ModelStatus(BaseModel, frozen=True):
    """One of several models that run or are idle."""

    name: str
    state: ServerState
    port: int | None = None
    memory_bytes: int | None = None
    idle_seconds: float | None = None
    """Since a turn used it last."""
    clients: int = 0


class WorkerStatus(BaseModel, frozen=True):
    """A machine that llama-server uses by RPC, as seen from here."""

    address: str
    reachable: bool | None = None
    """It answers, or llama-server is connected to it; None when that is not known."""
    memory_bytes: int | None = None
    round_trip_ms: float | None = None
    problem: str | None = None


class ServerStatus(BaseModel, frozen=True):
    """What llama-server is doing at one moment."""

    state: ServerState
    message: str
    model: str | None = None
    model_path: str | None = None
    about_model: AboutModel | None = None
    url: str | None = None
    port: int | None = None
    pid: int | None = None
    engine: EngineInfo | None = None
    remote: RemoteFacts | None = None
    uptime_seconds: float | None = None
    ready_after_seconds: float | None = None
    slots: SlotCount | None = None
    waiting_turns: int | None = None
    memory_bytes: int | None = None
    clients: int = 0
    last_exit: LastExit | None = None
    already_running: bool | None = None
    models: list[ModelStatus] | None = None
    """All that run or are idle, when there are several."""
    workers: list[WorkerStatus] | None = None
    notes: list[str] | None = None


def with_step(status: ServerStatus, words: Words) -> ServerStatus:
    """Return the status with what to do next, in a door's words, at the end of its message.

    Of an engine that somebody else runs the message says it all.
    """
    if status.remote is not None:
        return status
    step = in_words(NEXT_STEPS.get(status.state, ""), words)
    return status.model_copy(update={"message": f"{status.message} {step}".rstrip()})


class ServerConfig(LaunchSettings):
    """The settings of a llama-server that runs, or that a start would use now."""

    running: bool
    url: str | None = None
    """Of an engine that somebody else runs; of the settings above only ctx_size and parallel count
    then."""
    url_model: str | None = None
    about_model: AboutModel | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchArguments:
    """What one call asks of a start; None takes the operator's setting."""

    llama_cpp_path: str | None = None
    model_path: str | None = None
    port: int | None = None
    ctx_size: int | None = None
    parallel: int | None = None
    n_gpu_layers: int | None = None
    extra_args: tuple[str, ...] | None = None

    def given(self) -> dict[str, object]:
        """Return the arguments that the call has passed, by name."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in values if value is not None}


# The worst first.
Level = Literal["error", "warning", "info", "debug"]
MAX_LOG_LINES = 1000


class ServerLog(BaseModel, frozen=True):
    """The end of llama-server's log, oldest line first; truncated when there is more before it."""

    lines: list[str] = []
    log_path: str | None = None
    truncated: bool = False
    note: str | None = None
    """Why there is no line."""
