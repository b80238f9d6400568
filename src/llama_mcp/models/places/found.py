"""A file as a program has it, before anybody has read its header."""

from dataclasses import dataclass
from pathlib import Path

from llama_mcp.models.model import Source


@dataclass(frozen=True, slots=True)
class Found:
    """A GGUF file.

    Attributes:
        path: As llama-server is given it: links to files are kept, since the other files of a
            split model are looked for beside them.
        name: What its program calls it: a place with `/` and without `.gguf`, or a name of its own.
        source: Whose folder it lies in.
        group: The folder whose projectors can be meant for it.
        is_own_name: Whether the name is the program's own, and no place of a file.
        projector: What its program says is its projector.
        problem: Why llama-server alone cannot be what its program does with it.
    """

    path: Path
    name: str
    source: Source
    group: Path
    is_own_name: bool = False
    projector: Path | None = None
    problem: str | None = None
