"""Which flags an executable has, learned from its own --help.

Build numbers tell nothing (0 or 1 in shallow builds), so features are known by their flags. The
layout is that of llama.cpp's common/arg.cpp: names at column 0, two spaces, then the description.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream

from llama_mcp.embedded.presence import INSTALL_COMMAND
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.diagnosis.causes import diagnose_refusal
from llama_mcp.llama_server.diagnosis.log import without_variables
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code
from llama_mcp.llama_server.engine.locate import Engine, way_out
from llama_mcp.llama_server.errors import EngineUnusableError

# A healthy --help answers in 25 ms; a broken GPU driver can hang it.
HELP_TIMEOUT_SECONDS = 20.0
_FLAG = re.compile(r"(?:(?<=^)|(?<=[,\s]))--?[A-Za-z][\w.-]*")
# Names and description are two spaces apart; names themselves only after a comma.
_GAP = re.compile(r"(?<![,\s])\s{2,}")
# At column 0; in 2024's layout two spaces before. Rules of dashes are headings.
_ENTRY = re.compile(r" {0,2}-(?!----)")
# Such as <tensor name pattern>=<buffer type>,... which is one value.
_GROUP = re.compile(r"<[^>]*>|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|'[^']*'|\"[^\"]*\"")
_REMOVED = "argument has been removed"
# How alike two names of flags have to be for one to be proposed for the other.
_LIKENESS = 0.55


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: all of its names, what its value looks like ("" for none) and its description."""

    names: tuple[str, ...]
    value: str
    description: str

    @property
    def value_count(self) -> int:
        """How many values follow it: one for each word, a bracketed group being one."""
        return len(_GROUP.sub("X", self.value).split())


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one executable can do."""

    version: str
    flags: dict[str, Flag] = field(repr=False)
    removed: dict[str, str] = field(default_factory=dict, repr=False)
    """Flags that older builds had, each with what this one says to use."""

    def __contains__(self, name: str) -> bool:
        return name in self.flags

    def first_of(self, *names: str) -> str | None:
        """Return the first of these names that the executable knows."""
        return next((name for name in names if name in self.flags), None)

    def find(self, given: str) -> Flag | None:
        """Return the flag that is given, in whichever spelling llama-server takes it."""
        return self.flags.get(long_name(given))

    def nearest(self, name: str, count: int) -> list[str]:
        """Return the names of flags that are most like one that it does not know."""
        bare = {known.lstrip("-"): known for known in self.flags}
        alike = get_close_matches(name.lstrip("-").lower(), bare, count, _LIKENESS)
        return [bare[found] for found in alike]


def long_name(given: str) -> str:
    """Return a flag's name as --help lists it: llama.cpp takes --foo_bar too (common/arg.cpp)."""
    return given.replace("_", "-") if given.startswith("--") else given


_known: dict[tuple[str, int, int], Capabilities] = {}


async def learn_capabilities(engine: Engine, environment: dict[str, str]) -> Capabilities:
    """Return what the executable says of itself; asked once per path, size and change time.

    Raises:
        EngineUnusableError: it does not run, or is no llama-server.
    """
    key = _identity(engine)
    if key not in _known:
        text = await ask(engine, "--help", environment)
        flags = parse_help(text)
        if "--model" not in flags or "--port" not in flags:
            raise EngineUnusableError(
                engine.path,
                "its --help does not list --model and --port, so it is no llama-server, or a "
                "wrapper that keeps back --help or the answer",
                way_out(Path(engine.path)),
            )
        version = parse_version(await ask(engine, "--version", environment))
        _known[key] = Capabilities(version, flags, parse_removed(text))
    return _known[key]


def parse_help(text: str) -> dict[str, Flag]:
    """Return every flag that a --help text lists, by each of its names."""
    listed = (flag for flag in _parse(text) if _REMOVED not in flag.description)
    return {name: flag for flag in listed for name in flag.names}


def parse_removed(text: str) -> dict[str, str]:
    """Return the flags that a --help text lists as removed, each with what it says of them."""
    removed = (flag for flag in _parse(text) if _REMOVED in flag.description)
    return {
        name: without_variables(flag.description.partition(_REMOVED)[2]).strip(". ")
        for flag in removed
        for name in flag.names
    }


def _parse(text: str) -> Iterator[Flag]:
    for first, *rest in _entries(text):
        names_part, *description = _GAP.split(first, maxsplit=1)
        if names := _FLAG.findall(names_part):
            value = names_part[names_part.rindex(names[-1]) + len(names[-1]) :].strip()
            lines = [*description, *(line.strip() for line in rest)]
            yield Flag(tuple(names), value, " ".join(lines))


def parse_version(text: str) -> str:
    """Return what follows `version:` in the answer to --version; "unknown" when nothing does."""
    match = re.search(r"^version: *(.+?)\s*$", text, re.MULTILINE)
    return match.group(1) if match else "unknown"


def _entries(text: str) -> list[list[str]]:
    entries: list[list[str]] = []
    for line in text.splitlines():
        if _ENTRY.match(line):
            entries.append([line.strip()])
        elif entries and line.startswith(" "):
            entries[-1].append(line)
    return entries


def _identity(engine: Engine) -> tuple[str, int, int]:
    try:
        facts = os.stat(engine.command[0])
    except OSError as error:
        raise EngineUnusableError(
            engine.path,
            f"{engine.command[0]}: {error.strerror}",
            "Let the user that runs llama-mcp read and execute it.",
        ) from error
    return " ".join(engine.command), facts.st_size, facts.st_mtime_ns


async def ask(engine: Engine, option: str, environment: dict[str, str]) -> str:
    """Return what the executable prints for an option that only asks about it.

    Raises:
        EngineUnusableError: it does not run, hangs or fails.
    """
    command = spawning.popen_command([*engine.command, option])
    spawning.show_no_error_boxes()
    try:
        with anyio.fail_after(HELP_TIMEOUT_SECONDS):
            done = await _run_to_its_end(command, environment)
    except TimeoutError:
        problem = f"`{option}` did not answer within {HELP_TIMEOUT_SECONDS:.0f} s"
        raise EngineUnusableError(engine.path, problem, _HANGS_ADVICE) from None
    except OSError as error:
        reason = (error.strerror or str(error)).replace("%1", "it")  # Windows leaves the name open
        problem = f"the system cannot execute it ({reason})"
        raise EngineUnusableError(engine.path, problem, _advice_for(engine)) from None
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise _failed(engine, option, done.returncode, text.splitlines())
    return text


async def answer_of(
    engine: Engine, options: Sequence[str], environment: dict[str, str]
) -> tuple[int, list[str]]:
    """Return the exit code of the executable with these options, and what it prints.

    Raises:
        OSError: the system cannot execute it.
    """
    command = spawning.popen_command([*engine.command, *options])
    spawning.show_no_error_boxes()
    done = await _run_to_its_end(command, environment)
    return done.returncode, (done.stdout + b"\n" + done.stderr).decode(
        "utf-8", "replace"
    ).splitlines()


async def _run_to_its_end(
    command: Sequence[str] | str, environment: dict[str, str]
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program; when it is not waited for any longer, all that it has started ends with it.

    It may be a script, and what it has started would go on without it (anyio.run_process ends the
    program itself only).
    """
    # A cancellation in here would end the program alone.
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=spawning.CREATION_FLAGS,
        )
    outputs: dict[str, bytes] = {}

    async def read(name: str, stream: ByteReceiveStream | None) -> None:
        outputs[name] = b"".join([piece async for piece in stream]) if stream else b""

    async with process:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, "stdout", process.stdout)
                tasks.start_soon(read, "stderr", process.stderr)
            code = await process.wait()
        except BaseException:
            _kill_session(process.pid)
            raise
    return subprocess.CompletedProcess(command, code, outputs["stdout"], outputs["stderr"])


def _kill_session(pid: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _failed(engine: Engine, option: str, code: int, output: list[str]) -> EngineUnusableError:
    refusal = diagnose_refusal(code, output, engine.path)
    if refusal:
        return EngineUnusableError(
            engine.path, f"`{option}` failed: {refusal.cause}", refusal.advice
        )
    ending = (
        f"signal {-code}" if -signal.NSIG < code < 0 else f"exit code {describe_exit_code(code)}"
    )
    last = next((line for line in reversed(output) if line.strip()), "no output")
    problem = f"`{option}` failed with {ending}: {last[:300]}"
    return EngineUnusableError(engine.path, problem, _advice_for(engine))


def _advice_for(engine: Engine) -> str:
    return _REINSTALL_ADVICE if engine.kind == "embedded" else _REBUILD_ADVICE


_REINSTALL_ADVICE = (
    f"It is a package of the Python that runs llama-mcp ({sys.executable}); install it there again "
    f"with: {INSTALL_COMMAND}"
)
_HANGS_ADVICE = (
    "Run it so in a terminal: a GPU driver that hangs does this, and so does a wrapper that does "
    "not end with the llama-server that it has started. Or pass another llama_cpp_path."
)
_REBUILD_ADVICE = (
    "A build for another system or processor, or one whose libraries are missing, has to be "
    "replaced by a llama.cpp release for this machine: pass another llama_cpp_path."
)
