"""The proof: a launch, from its start to that nothing is left; bounded, in a home of its own.

Nothing of the user's is disturbed: the launched llama-mcp keeps everything in a temporary folder
and takes a free port.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from llama_mcp.cli.processes_of_home import described, end_processes_of_home, wait_until_left
from llama_mcp.cli.proof.conversation import Conversation
from llama_mcp.cli.proof.idleness import Idleness
from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.problem import REPORT, NotProvedError
from llama_mcp.cli.proof.program import LaunchedProgram, launched
from llama_mcp.cli.proof.steps import Tell, greet, list_tools, use_a_model
from llama_mcp.home_folders import HOME
from llama_mcp.settings import inherited_environment
from llama_mcp.wording import counted, first_few

# llama-server and its keeper are gone within 2 s of their last client; the rest is for a busy
# machine.
LEAVE_SECONDS = 10.0
# How long one may take to leave that no processor is free for.
BUSY_EXIT_SECONDS = 60.0
_MOST_NAMED = 3
_FREE_SPACE = "Free some space, or let TMPDIR name a folder that you can write to."


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a launch.

    Attributes:
        is_proved: Whether everything went as it must for this client.
        lines: What was seen, one short line each, with times.
        problem: What failed, with the evidence; None when nothing did.
        next_step: What to do about it; None when nothing failed.
    """

    is_proved: bool
    lines: tuple[str, ...]
    problem: str | None = None
    next_step: str | None = None


async def prove(
    launch: Launch, *, is_quick: bool = False, on_line: Callable[[str], None] | None = None
) -> Proof:
    """Launch as the client does, use it as a client does, leave, and look for what is left.

    Args:
        launch: how the client starts it.
        is_quick: whether to leave out the model: no llama-server is started.
        on_line: called with each line when it is seen; a model can take minutes.

    Returns:
        The proof. Whatever happens, also when this is cancelled, no process of it stays.
    """
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        if on_line:
            on_line(line)

    try:
        folder = tempfile.mkdtemp(prefix="llama-mcp-proof-")
    except OSError as error:
        return Proof(False, (), f"No temporary folder can be made: {error}.", _FREE_SPACE)
    try:
        failure = await _prove_in(Path(folder), launch, tell, is_quick=is_quick)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))
    if failure is None:
        return Proof(True, tuple(lines))
    return Proof(False, tuple(lines), failure.problem, failure.next_step)


async def _prove_in(
    home: Path, launch: Launch, tell: Tell, *, is_quick: bool
) -> NotProvedError | None:
    environment = environment_of(launch, home, inherited_environment())
    try:
        async with launched(launch, environment) as program:
            return await _walk(program, launch, environment, home, tell, is_quick=is_quick)
    except NotProvedError as error:
        return error
    finally:
        with anyio.CancelScope(shield=True):
            await end_processes_of_home(home)


def environment_of(launch: Launch, home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what the launched program gets: as the client gives it, but for what must be apart.

    llama-server ends with its last client, so that a proof that breaks off leaves none.
    """
    apart = {HOME: str(home), "LLAMA_MCP_PORT": "0", "LLAMA_MCP_LINGER_SECONDS": "0"}
    given = {**launch.passes.of(inherited), **launch.env}
    # Settings are taken in any case: another spelling would go before ours.
    return {name: value for name, value in given.items() if name.upper() not in apart} | apart


async def _walk(
    program: LaunchedProgram,
    launch: Launch,
    environment: Mapping[str, str],
    home: Path,
    tell: Tell,
    *,
    is_quick: bool,
) -> NotProvedError | None:
    """Take all steps; return what failed. Raises nothing, so that no group wraps it."""
    conversation = Conversation(program, launch)
    try:
        await greet(conversation, launch, program.launched_at, tell)
        offered = await list_tools(conversation, environment, tell)
        if not is_quick:
            await use_a_model(conversation, environment, offered, tell)
        await _leave(program, launch, tell)
        await _look_for_what_is_left(home, tell)
    except NotProvedError as error:
        return error
    return None


async def _leave(program: LaunchedProgram, launch: Launch, tell: Tell) -> None:
    began, idleness = anyio.current_time(), Idleness()
    await program.close_stdin()
    code = await program.exit_code_within(launch.exit_seconds)
    if code is None and idleness.was_busy():
        code = await program.exit_code_within(BUSY_EXIT_SECONDS)
    seconds = anyio.current_time() - began
    if code is None:
        raise NotProvedError(
            f"It still runs {seconds:.1f} s after its stdin was closed; clients kill after "
            f"{launch.exit_seconds:g} s.{await program.evidence()}",
            "A wrapper has to pass on that stdin was closed: let its last line be "
            '`exec llama-mcp "$@"`.',
        )
    if code != 0:
        raise NotProvedError(
            f"It ended with exit code {code} after its stdin was closed.{await program.evidence()}",
            REPORT,
        )
    late = ""
    if seconds > launch.exit_seconds:
        late = f"; clients wait {launch.exit_seconds:g} s, but no processor was free for it"
    tell(f"left {seconds:.1f} s after its stdin was closed{late}")


async def _look_for_what_is_left(home: Path, tell: Tell) -> None:
    left = await wait_until_left(home, LEAVE_SECONDS)
    if not left:
        tell("nothing was left behind")
        return
    named = [await anyio.to_thread.run_sync(described, process) for process in left]
    raise NotProvedError(
        f"{counted(len(left), 'process', 'processes')} stayed behind and had to be killed: "
        f"{first_few(named, _MOST_NAMED)}.",
        "If a wrapper starts them, let it end them too. If they are llama-mcp's own, this is a "
        "bug: please report it.",
    )
