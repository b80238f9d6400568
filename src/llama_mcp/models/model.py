"""A model of the library: one row, whatever number of files it is in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_mcp.models.facts import ModelFacts

# Whose folder a model was found in; `path` where only its path was given, by a call or a setting,
# `models_file` where the operator has named it, and `remote` where somebody else's engine has it.
Source = Literal[
    "model_dirs",
    "starter",
    "huggingface",
    "llama.cpp",
    "lm-studio",
    "ollama",
    "jan",
    "gpt4all",
    "path",
    "models_file",
    "remote",
]


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        name: What it is called here, and nothing else is: `start_llama_server` takes it.
        path: Its file, or the first of several; what llama-server is given.
        size_bytes: What all its files have, the projector left out.
        source: Whose folder it was found in.
        facts: What its header says; None where that cannot be read.
        projector: What lets it see pictures or hear, where one fits.
        projector_facts: What the header of that says.
        problem: Why llama-server cannot load it, in words; None where nothing is known against it.
    """

    name: str
    path: Path
    size_bytes: int
    source: Source
    facts: ModelFacts | None = None
    projector: Path | None = None
    problem: str | None = None
    projector_facts: ModelFacts | None = None

    @property
    def title(self) -> str:
        """What it is called while it runs: its file's name, or its own where that is a digest."""
        has_name = self.path.suffix.lower() == ".gguf"
        return self.path.stem if has_name else self.name.rpartition("/")[2]
