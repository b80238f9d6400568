"""What is known of a client program: what it is, how it is told of llama-mcp, how it is run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
QUESTION = "Ask the local model for the capital of France."
# What a program is told to wait for a call, where it can be told: longer than a call takes that
# waits for WAIT_SECONDS, on a busy machine too, and shorter than the long reply.
LIMIT_SECONDS = 15
WAIT_SECONDS = 5


class Index(StrEnum):
    """Where a program comes from."""

    NPM = "npm"
    PYPI = "the package index"


@dataclass(frozen=True)
class Situation:
    """One run of a program.

    Attributes:
        installed: The folder into which the program's packages are installed.
        node: A Node, for programs that need one.
        command: The installed llama-mcp.
        settings: llama-mcp's settings for this run, for the `env` of its entry.
        home: The program's home folder, empty; also its current folder.
        model_url: Where the scripted model answers, without a path.
    """

    installed: Path
    node: str
    command: str
    settings: Mapping[str, str]
    home: Path
    model_url: str

    def write(self, path: str, content: Any) -> Path:
        """Write a file below the home, text as it is and anything else as JSON."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        file.write_text(text, encoding="utf-8")
        return file

    def entry(self) -> dict[str, Any]:
        """Return the standard entry: command, arguments, settings."""
        return {"command": self.command, "args": [], "env": dict(self.settings)}

    def standard_settings(self, name: str, timeout: int) -> dict[str, Any]:
        """Return a file of examples/ that has a standard entry, with this run's entry.

        Args:
            name: The file, which is JSON.
            timeout: What the program waits for a call, in its own unit.
        """
        settings: dict[str, Any] = json.loads(example(name))
        settings["mcpServers"]["llama-mcp"] |= {**self.entry(), "timeout": timeout}
        return settings


@dataclass(frozen=True)
class Invocation:
    """How a program is run.

    Attributes:
        command: The program with its arguments.
        variables: What its environment has beside home and path.
        before: Commands that tell it of llama-mcp, run first.
    """

    command: list[str]
    variables: Mapping[str, str]
    before: tuple[list[str], ...] = ()


@dataclass(frozen=True)
class SetUp:
    """How it shows that `llama-mcp install` has set it up.

    Attributes:
        client: What `llama-mcp install` calls it.
        command: What its command is called.
        launcher: From the folder of its packages and a Node to what that command runs.
        shows: A pattern for what its own list says of llama-mcp then.
        variables: What its environment has beside home and path.
    """

    client: str
    command: str
    launcher: Callable[[Path, str], list[str]]
    shows: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A client program.

    Attributes:
        name: What the documentation calls it.
        index: Where it comes from.
        packages: What is installed, each with its version; the first is the one that counts.
        invocation: Writes its configuration and returns how it is run.
        is_light: Whether it installs in less than a minute.
        hides_tools: Whether its model sees some of our tools by name only.
        wait_seconds: How long llama-mcp waits in a call, less than the program does.
        has_one_for_each_call: Whether it starts a llama-mcp for each call, and closes it after.
        set_up: How it shows that our command has set it up; None if it has no list of its own.
    """

    name: str
    index: Index
    packages: tuple[str, ...]
    invocation: Callable[[Situation], Invocation]
    is_light: bool = True
    hides_tools: bool = False
    wait_seconds: int = WAIT_SECONDS
    has_one_for_each_call: bool = False
    set_up: SetUp | None = None

    @property
    def version(self) -> str:
        """The version of the package that counts."""
        return self.packages[0].replace("==", "@").rpartition("@")[2]

    @property
    def folder(self) -> str:
        """A name for folders."""
        return self.name.lower().replace(" ", "-")


def example(name: str) -> str:
    """Return the text of a file of examples/."""
    return (EXAMPLES / name).read_text(encoding="utf-8")
