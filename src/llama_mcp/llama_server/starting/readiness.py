"""When a llama-server is ready: our process lives, its own model is loaded and it answers.

/health alone proves nothing: any server on the port could answer it. The answer counts only when
/props names our model and the process that was spawned is still alive afterwards.
"""

import time
from typing import Any

import anyio
import anyio.to_thread

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.diagnosis.causes import warnings_in_log
from llama_mcp.llama_server.diagnosis.log import read_log_tail
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.endings import launch_facts
from llama_mcp.llama_server.runs.records import LoadingOutcome
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import KEEPER_START_SECONDS

FIRST_POLL_SECONDS = 0.005
# A start returns within 50 ms of the moment when llama-server can answer.
MAX_POLL_SECONDS = 0.02
POLL_GROWTH = 1.5
# /props waits in llama-server's queue, behind its warm-up for example. A start depends on the
# answer, so it has more time than a look.
PROOF_TIMEOUT_SECONDS = 15.0
# What /apply-template must give back: a template that loses it loses every message.
SENTINEL = "llama-mcp-sentinel-7d1f"

# A whole start, warnings included, at the default verbosity.
LOG_LINES_TO_READ = 1000


class EndedWhileLoadingError(Exception):
    """llama-server ended before it was ready. `Loading` handles it."""


async def wait_until_ready(run: Run, client: LlamaServerClient) -> LoadingOutcome:
    """Wait until llama-server can answer, and return what it says of itself.

    Raises:
        EndedWhileLoadingError: it ended, or never was.
    """
    pause_seconds = FIRST_POLL_SECONDS
    while True:
        if has_ended(run):
            raise EndedWhileLoadingError
        if await client.is_healthy():
            outcome = await _examine(run, client)
            if outcome is not None:
                return outcome
        await anyio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * POLL_GROWTH, MAX_POLL_SECONDS)


def has_ended(run: Run) -> bool:
    """Tell whether llama-server or its keeper is gone."""
    state = run.state()
    if state is None:
        return run.is_ending() or time.time() - run.launch.at > KEEPER_START_SECONDS
    if state.exit or state.spawn_error or state.llama_server is None:
        return True
    return not state.llama_server.is_alive()


async def props_if_ours(run: Run, client: LlamaServerClient) -> dict[str, Any] | None:
    """Return /props when the server that answers is proved to be the run's; None when it is not.

    Proved: the recorded process lives, the port is its own as far as the system tells, and it names
    the model that was launched.
    """
    state = run.state()
    props = await client.get_or_none("/props", PROOF_TIMEOUT_SECONDS)
    if state is None or state.llama_server is None or not isinstance(props, dict):
        return None
    # In a thread: the system may have to look through the sockets of many processes.
    is_held = await anyio.to_thread.run_sync(
        ports.is_held_by, run.launch.port, state.llama_server.pid
    )
    if is_held is False or not _names_our_model(props, run) or not state.llama_server.is_alive():
        return None
    return props


async def _examine(run: Run, client: LlamaServerClient) -> LoadingOutcome | None:
    """Return the outcome when the server that answers is ours; None when that is not proved."""
    props = await props_if_ours(run, client)
    if props is None:
        return None
    return LoadingOutcome(
        ready_after_seconds=round(time.time() - run.launch.at, 3),
        warnings=[*await _template_warnings(client), *_log_warnings(run)],
        total_slots=count_or_none(props.get("total_slots")),
        slot_ctx_size=count_or_none(member(props.get("default_generation_settings"), "n_ctx")),
    )


def _names_our_model(props: dict[str, Any], run: Run) -> bool:
    """Tell whether /props is that of our launch; a build that names no model cannot say."""
    if props.get("role") == "router":
        return False
    if alias := props.get("model_alias"):
        return bool(alias == run.launch.alias)
    path = props.get("model_path")
    return not path or path == run.launch.config.model_path


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
