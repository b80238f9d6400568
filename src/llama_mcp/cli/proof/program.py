"""A launched program and its three pipes: started, read line by line, left, and ended for sure."""

import os
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.problem import NotProvedError
from llama_mcp.keeper.spawning import CREATION_FLAGS
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

# Larger than any frame of ours; what goes on for longer is no line.
MAX_LINE_BYTES = 16 * 2**20
_MOST_STDERR_LINES, _MOST_LINE_CHARACTERS = 6, 300
_READ_BYTES = 65536
# How long a program that was killed may take to be gone, and what it wrote last to be read.
_REAP_SECONDS, _LAST_WORDS_SECONDS = 5.0, 0.5


@dataclass
class LaunchedProgram:
    """One program that speaks lines on stdout; what it writes to stderr is kept as evidence."""

    process: Process
    launched_at: float
    """By anyio's clock."""
    _lines: BufferedByteReceiveStream
    _stderr: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_STDERR_LINES))
    _stderr_ended: anyio.Event = field(default_factory=anyio.Event)

    async def write_line(self, line: bytes) -> None:
        """Send a line; one that ended already gets none, which the answer then shows."""
        assert self.process.stdin is not None
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self.process.stdin.send(line + b"\n")

    async def next_line(self) -> bytes:
        """Return the next line of its stdout.

        Raises:
            anyio.EndOfStream: it has closed its stdout, mostly by ending.
            NotProvedError: what it writes has no line end.
        """
        try:
            return await self._lines.receive_until(b"\n", MAX_LINE_BYTES)
        except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise anyio.EndOfStream from None
        except anyio.DelimiterNotFound:
            raise NotProvedError(
                f"It wrote {MAX_LINE_BYTES >> 20} MiB to stdout without an end of line.",
                "Let the command write nothing but llama-mcp's own messages to stdout.",
            ) from None

    async def exit_code_within(self, seconds: float) -> int | None:
        """Return its exit code if it ends within so many seconds, else None."""
        with anyio.move_on_after(seconds):
            return await self.process.wait()
        return None

    async def close_stdin(self) -> None:
        """Tell it that the client leaves."""
        assert self.process.stdin is not None
        with suppress(OSError, anyio.BrokenResourceError):
            await self.process.stdin.aclose()

    async def evidence(self) -> str:
        """Return the end of its stderr as a sentence, empty when it wrote nothing."""
        with anyio.move_on_after(_LAST_WORDS_SECONDS):
            await self._stderr_ended.wait()
        said = " | ".join(line for line in self._stderr if line)
        return f" The end of its stderr: {said}" if said else ""

    async def keep_stderr(self, stream: ByteReceiveStream) -> None:
        """Read stderr to its end, so that nothing waits for its reader."""
        rest = b""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                *lines, rest = (rest + await stream.receive(_READ_BYTES)).split(b"\n")
                self._stderr.extend(map(_shown, lines))
                rest = rest[-_READ_BYTES:]
        self._stderr.extend([_shown(rest)] if rest else [])
        self._stderr_ended.set()


@asynccontextmanager
async def launched(
    launch: Launch, environment: Mapping[str, str]
) -> AsyncIterator[LaunchedProgram]:
    """Start the program as the client does, without a terminal; it has ended when this is left.

    Raises:
        NotProvedError: it cannot be started.
    """
    launched_at = anyio.current_time()
    process = await _started(launch, environment)
    assert process.stdout is not None
    assert process.stderr is not None
    program = LaunchedProgram(process, launched_at, BufferedByteReceiveStream(process.stdout))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(program.keep_stderr, process.stderr)
        try:
            yield program
        finally:
            # A process that it has left behind may hold the pipes open.
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await _end(process)


async def _started(launch: Launch, environment: Mapping[str, str]) -> Process:
    try:
        return await anyio.open_process(
            launch.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=launch.cwd,
            env=dict(environment),
            creationflags=CREATION_FLAGS,
            start_new_session=os.name == "posix",
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotProvedError(
            f"{launch.argv[0]} cannot be started: {reason}.",
            "Give the full path of a command that can be run: `command -v llama-mcp` (Windows: "
            "`where llama-mcp`) prints it.",
        ) from error


async def _end(process: Process) -> None:
    with suppress(OSError):
        if process.returncode is None:
            process.kill()
    with anyio.move_on_after(_REAP_SECONDS):
        await process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError, anyio.BrokenResourceError):
            if stream is not None:
                await stream.aclose()


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace").strip()
    return shortened(visible_line(text), _MOST_LINE_CHARACTERS)
