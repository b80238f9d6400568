"""When a llama-server is ready: our process lives, its own model is loaded and it answers.

proof.py says whether what answers is ours. Here it is waited for: while it loads, as long as that
takes; while something speaks against it that waiting cannot change, for a few seconds.
"""

import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread

from llama_mcp.keeper import identity
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.diagnosis.causes import warnings_in_log
from llama_mcp.llama_server.diagnosis.log import read_log_tail
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.runs import members, ports
from llama_mcp.llama_server.runs.endings import launch_facts
from llama_mcp.llama_server.runs.records import LoadingOutcome, ProcessRecord
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import KEEPER_START_SECONDS
from llama_mcp.llama_server.starting import proof
from llama_mcp.llama_server.starting.proof import Doubt

FIRST_POLL_SECONDS = 0.005
# A start returns within 50 ms of the moment when llama-server can answer.
MAX_POLL_SECONDS = 0.02
POLL_GROWTH = 1.5
# A doubt costs a look at many sockets, and changes slowly.
DOUBT_POLL_SECONDS = 0.25
# How long something may speak against a start before the start is given up: another server on the
# port, until ours has failed to listen there and ended.
DOUBT_SECONDS = 5.0
SILENCE_LOOK_SECONDS = 1.0
# What /apply-template must give back: a template that loses it loses every message.
SENTINEL = "llama-mcp-sentinel-7d1f"

# A whole start, warnings included, at the default verbosity.
LOG_LINES_TO_READ = 1000


class EndedWhileLoadingError(Exception):
    """llama-server ended before it was ready. `Loading` handles it."""


class UnprovedError(Exception):
    """What answers is not the llama-server that was started. `Loading` handles it."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.what)
        self.doubt = doubt


async def wait_until_ready(
    run: Run, client: LlamaServerClient, note_doubt: Callable[[Doubt | None], None]
) -> LoadingOutcome:
    """Wait until llama-server can answer, and return what it says of itself.

    Args:
        run: the launch.
        client: the connection to it.
        note_doubt: is told what speaks against it now, and None when nothing does.

    Raises:
        EndedWhileLoadingError: it ended, or never was.
        UnprovedError: what answers is another llama-server, or none, and stays so.
    """
    pause_seconds, silence = FIRST_POLL_SECONDS, _Silence(run)
    accepted_at = time.monotonic()
    while True:
        if has_ended(run):
            raise EndedWhileLoadingError
        found = await _look(run, client, silence)
        if isinstance(found, dict):
            return await _examine(run, client, found)
        note_doubt(found)
        if found is None or not found.is_certain:
            accepted_at = time.monotonic()
        elif time.monotonic() - accepted_at > DOUBT_SECONDS:
            raise UnprovedError(found)
        await anyio.sleep(DOUBT_POLL_SECONDS if found else pause_seconds)
        pause_seconds = min(pause_seconds * POLL_GROWTH, MAX_POLL_SECONDS)


async def _look(
    run: Run, client: LlamaServerClient, silence: "_Silence"
) -> dict[str, Any] | Doubt | None:
    """Return /props of the run's own llama-server, else what speaks against it; None: it loads."""
    status, _ = await client.look("/health")
    if status == 0:
        return await silence.reason()
    if proof.is_success(status):
        return await proof.prove(run, client)
    return await proof.odd_health(status, run, client)


class _Silence:
    """Why nothing answers; looked for now and then, since most that is silent only loads."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reason: Doubt | None = None
        self._looks_again_at = time.monotonic() + SILENCE_LOOK_SECONDS

    async def reason(self) -> Doubt | None:
        if time.monotonic() > self._looks_again_at:
            self._reason = await anyio.to_thread.run_sync(proof.why_silent, self._run)
            self._looks_again_at = time.monotonic() + SILENCE_LOOK_SECONDS
        return self._reason


def has_ended(run: Run) -> bool:
    """Tell whether llama-server or its keeper is gone."""
    state = run.state()
    if state is None:
        return run.is_ending() or run.launch.age_seconds > KEEPER_START_SECONDS
    if state.exit or state.spawn_error or state.llama_server is None:
        return True
    return not state.llama_server.is_alive()


async def _examine(run: Run, client: LlamaServerClient, props: dict[str, Any]) -> LoadingOutcome:
    return LoadingOutcome(
        ready_after_seconds=round(run.launch.age_seconds, 3),
        warnings=[*await _template_warnings(client), *_log_warnings(run)],
        total_slots=count_or_none(props.get("total_slots")),
        slot_ctx_size=count_or_none(member(props.get("default_generation_settings"), "n_ctx")),
        listeners=await anyio.to_thread.run_sync(_listeners_below, run),
    )


def _listeners_below(run: Run) -> list[ProcessRecord]:
    """Return what listens below a wrapper; none when the process that was spawned does itself."""
    state = run.state()
    root = state.llama_server.pid if state and state.llama_server else 0
    pids = ports.listeners_among(members.pids_of(state), run.launch.port)
    if root in pids:
        return []
    return [ProcessRecord(pid=pid, start=identity.process_start(pid)) for pid in pids]


async def _template_warnings(client: LlamaServerClient) -> list[str]:
    body = {"messages": [{"role": "user", "content": SENTINEL}]}
    try:
        answer = await client.post("/apply-template", body)
    except CompletionError as error:
        return [f"The chat template could not be tried: {error}"]
    if answer is None or SENTINEL in str(member(answer, "prompt")):
        return []
    return [
        "The chat template swallows the message: what is sent never reaches the model. Leave "
        "--chat-template out of extra_args, or pass one that works."
    ]


def _log_warnings(run: Run) -> tuple[str, ...]:
    lines = read_log_tail(run.log_path, LOG_LINES_TO_READ)
    return warnings_in_log(lines, launch_facts(run.launch))
