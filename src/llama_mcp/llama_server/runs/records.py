"""What the files of a run folder say: records that llama-mcp and the keeper write and read.

A run outlives the llama-mcp that started it, so its records are read by other versions too. A field
that was added after the first version has a default; fields that a version does not know are left
out.
"""

import math
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from llama_mcp.keeper import clock, identity, run_dir
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.places import Place
from llama_mcp.llama_server.saved_kv.records import SAVE_FLAG, SavedKv
from llama_mcp.llama_server.status import AboutModel, EngineInfo
from llama_mcp.llama_server.workers.wanted import RPC, addresses_in

API_KEY_VARIABLE = run_dir.API_KEY_VARIABLE


# Raised when a field changes its meaning. A new field with a default does not raise it.
LAUNCH_FORMAT = 2


class RpcWorker(BaseModel, frozen=True):
    """An RPC worker as it was just before llama-server was started with it."""

    address: str
    memory_bytes: int | None = None
    """Of its devices together; None where that was not told."""
    free_bytes: int | None = None
    round_trip_ms: float | None = None


class Launch(BaseModel):
    """launch.json: one start as it was carried out.

    The first six are the keeper's, and so is saved_kv.
    """

    model_config = ConfigDict(frozen=True)

    argv: list[str]
    environment: dict[str, str]
    linger_seconds: float
    port: int
    # Older versions have no streams that outlive their reader.
    finish_seconds: float = 0
    # Without a turn for so long the keeper ends it, until the next turn; 0: never.
    idle_seconds: float = 0
    config: LaunchConfig
    engine: EngineInfo
    alias: str
    at: float
    notes: list[str] = []
    fitting_ctx_size: int | None = None
    """The largest that would have fitted into memory, where the one that was asked for did not."""
    system_prompt: str | None = None
    """What the model is told in a session that has none of its own."""
    about_model: AboutModel | None = None
    """What the header of its file said; None where that was not read."""
    # The first version wrote no number.
    format: int = 1
    # Random, on the command line: proves a server that no process of the run listens for.
    tag: str | None = None
    # When it was started again after a crash, and why the first time.
    restarts: list[float] = []
    first_failure: str | None = None
    # Where it was launched, and when by the clock that nobody sets (keeper/clock.py).
    place: Place | None = None
    clock: float | None = None
    keep: bool = False
    """It is never stopped to make room for another model."""
    saved_kv: SavedKv | None = None
    """How its prompt caches are saved when it is stopped; None when they are not."""

    rpc_workers: list[RpcWorker] = []
    """Those that it was started with. Older versions do not say."""

    @field_validator("format")
    @classmethod
    def _check_format(cls, value: int) -> int:
        if value > LAUNCH_FORMAT:
            raise ValueError(f"a newer llama-mcp wrote it (format {value})")
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete_config(cls, content: Any) -> Any:
        """Take what the config lacks from the fields that repeat it.

        A default is not what was launched: paths and port are recorded as resolved, and the window
        may have been set.
        """
        try:
            engine, config, argv = content["engine"], content["config"], content["argv"]
            repeated = {
                "llama_cpp_path": engine["path"],
                "model_path": _value_of("-m", argv),
                "port": content["port"],
            }
            if "-np" in argv:
                parallel = int(_value_of("-np", argv))
                window = int(_value_of("-c", argv))
                repeated |= {"parallel": parallel, "ctx_size": window // parallel}
            return content | {"config": repeated | config}
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return content  # the fields' own validation says what is wrong

    @property
    def age_seconds(self) -> float:
        """How long ago it was launched; infinite before the machine was last switched on."""
        if self.place is not None and not places.is_same_boot(self.place):
            return math.inf
        return seconds_since(self.clock, self.at)

    @property
    def worker_addresses(self) -> list[str]:
        """Where its RPC workers are, each as host:port."""
        if self.rpc_workers or RPC not in self.argv:
            return [worker.address for worker in self.rpc_workers]
        return [*addresses_in(_value_of(RPC, self.argv))]

    def on_port(self, port: int) -> "Launch":
        """Return the same on another port."""
        argv = list(self.argv)
        argv[_place_of_value("--port", argv)] = str(port)
        return self.model_copy(update={"argv": argv, "port": port})

    def without_saving(self) -> "Launch":
        """Return the same without its prompt caches being saved."""
        if self.saved_kv is None:
            return self
        argv = list(self.argv)
        place = _place_of_value(SAVE_FLAG, argv)
        del argv[place - 1 : place + 1]
        return self.model_copy(update={"argv": argv, "saved_kv": None})

    @property
    def api_key(self) -> str | None:
        """The key that llama-server asks for; it reads it from its environment."""
        return self.environment.get(API_KEY_VARIABLE)

    @property
    def url(self) -> str:
        """The address of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"


def _value_of(flag: str, argv: list[str]) -> str:
    return argv[_place_of_value(flag, argv)]


def _place_of_value(flag: str, argv: list[str]) -> int:
    # The last one: an engine that is a Python module has a -m and a -c of Python's before it.
    return len(argv) - argv[::-1].index(flag)


def seconds_since(reading: float | None, at: float) -> float:
    """Return how long ago something was.

    Args:
        reading: the clock that nobody sets, then; None in records of older versions.
        at: the wall clock then; seconds since 1970.
    """
    elapsed = None if reading is None else clock.seconds() - reading
    if elapsed is not None and elapsed >= 0:
        return elapsed
    # A reading that is ahead is of before the machine was switched on, where no boot has a name.
    return max(time.time() - at, 0.0)


class ProcessRecord(BaseModel):
    """A process that can be proved to be the same: pid and start time together."""

    pid: int
    start: str | None
    at: float | None = None
    clock: float | None = None

    def is_alive(self) -> bool:
        """Tell whether that very process lives."""
        return identity.is_same_process(self.pid, self.start)


class LoadingOutcome(BaseModel, frozen=True):
    """outcome.json: how loading came out, written by the first who knows."""

    ready_after_seconds: float | None = None
    failure: str | None = None
    """Why we gave it up, when it did not end by itself."""
    advice: str | None = None
    warnings: list[str] = []
    total_slots: int | None = None
    slot_ctx_size: int | None = None
    # What a wrapper has started and listens: it may end while the wrapper lives on.
    listeners: list[ProcessRecord] = []


class SpawnError(BaseModel):
    """Why the operating system would not execute llama-server."""

    errno: int | None
    text: str


class Exit(BaseModel):
    """How llama-server ended."""

    exit_code: int | None
    signal: int | None
    was_asked_to: bool
    at: float
    # What it had started outlived it, and was ended by the keeper.
    left_others: bool = False
    # `idle`: it was unloaded because it had no turn for idle_seconds. Older keepers never do that.
    reason: str | None = None


class KeeperState(BaseModel, frozen=True):
    """state.json: what the keeper says."""

    keeper: ProcessRecord
    # In a Windows job that it could not leave: what made the job may end it, and so llama-server.
    is_in_a_job: bool = False
    llama_server: ProcessRecord | None = None
    spawn_error: SpawnError | None = None
    exit: Exit | None = None

    @property
    def says_how_it_ended(self) -> bool:
        """Tell whether nothing is left for the keeper to record."""
        return self.exit is not None or self.spawn_error is not None


class Pointer(BaseModel, frozen=True):
    """current.json: the name of the folder of the run that was launched last, here or elsewhere."""

    run: str
