"""Which flags an executable has, learned from its own --help.

Build numbers tell nothing (0 or 1 in shallow builds), so features are known by their flags. The
layout is that of llama.cpp's common/arg.cpp: names at column 0, two spaces, then the description.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass, field

import anyio

from llama_mcp.keeper import spawning
from llama_mcp.llama_server.diagnosis.causes import diagnose_refusal
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code
from llama_mcp.llama_server.engine.locate import Engine
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

    def __contains__(self, name: str) -> bool:
        return name in self.flags

    def first_of(self, *names: str) -> str | None:
        """Return the first of these names that the executable knows."""
        return next((name for name in names if name in self.flags), None)


_known: dict[tuple[str, int, int], Capabilities] = {}


async def learn_capabilities(engine: Engine, environment: dict[str, str]) -> Capabilities:
    """Return what the executable says of itself; asked once per path, size and change time.

    Raises:
        EngineUnusableError: it does not run, or is no llama-server.
    """
    key = _identity(engine)
    if key not in _known:
        flags = parse_help(await _answer(engine, "--help", environment))
        if "--model" not in flags or "--port" not in flags:
            raise EngineUnusableError(
                engine.path,
                "its --help does not list --model and --port, so it is no llama-server",
                "Pass llama_cpp_path as the folder that contains llama-server.",
            )
        version = parse_version(await _answer(engine, "--version", environment))
        _known[key] = Capabilities(version, flags)
    return _known[key]


def parse_help(text: str) -> dict[str, Flag]:
    """Return every flag that a --help text lists, by each of its names."""
    flags: dict[str, Flag] = {}
    for entry in _entries(text):
        first, *rest = entry
        names_part, *description = _GAP.split(first, maxsplit=1)
        names = _FLAG.findall(names_part)
        description_text = " ".join([*description, *(line.strip() for line in rest)])
        if not names or _REMOVED in description_text:
            continue
        value = names_part[names_part.rindex(names[-1]) + len(names[-1]) :].strip()
        flag = Flag(tuple(names), value, description_text)
        flags.update(dict.fromkeys(names, flag))
    return flags


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
    facts = os.stat(engine.command[0])
    return " ".join(engine.command), facts.st_size, facts.st_mtime_ns


async def _answer(engine: Engine, option: str, environment: dict[str, str]) -> str:
    command = spawning.popen_command([*engine.command, option])
    spawning.show_no_error_boxes()
    try:
        with anyio.fail_after(HELP_TIMEOUT_SECONDS):
            done = await anyio.run_process(
                command,
                env=environment,
                check=False,
                stdin=subprocess.DEVNULL,
                creationflags=spawning.CREATION_FLAGS,
            )
    except TimeoutError:
        problem = f"`{option}` did not answer within {HELP_TIMEOUT_SECONDS:.0f} s"
        raise EngineUnusableError(engine.path, problem, _REBUILD_ADVICE) from None
    except OSError as error:
        reason = (error.strerror or str(error)).replace("%1", "it")  # Windows leaves the name open
        problem = f"the system cannot execute it ({reason})"
        raise EngineUnusableError(engine.path, problem, _REBUILD_ADVICE) from None
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise _failed(engine, option, done.returncode, text.splitlines())
    return text


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
    return EngineUnusableError(engine.path, problem, _REBUILD_ADVICE)


_REBUILD_ADVICE = (
    "Try it in a terminal. A build for another system or processor, or one whose libraries are "
    "missing, has to be replaced by a llama.cpp release for this machine."
)
