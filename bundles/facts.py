"""What every bundle says of llama-mcp, and which settings a person is asked for.

All of it comes from pyproject.toml and from the settings themselves.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llama_mcp.reading_settings import PREFIX
from llama_mcp.settings import LlamaServerSettings

REPOSITORY = Path(__file__).resolve().parent.parent
KEYWORDS = "keywords"

Kind = Literal["file", "directory", "number"]


@dataclass(frozen=True, slots=True)
class Facts:
    """The project, as its pyproject.toml describes it."""

    name: str
    version: str
    description: str
    author: str
    licence: str
    keywords: tuple[str, ...]
    requires_python: str


def read_facts() -> Facts:
    """Return the facts of this repository."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return Facts(
        name=project["name"],
        version=project["version"],
        description=project["description"],
        author=project["authors"][0]["name"],
        licence=project["license"],
        keywords=tuple(project[KEYWORDS]),
        requires_python=project["requires-python"],
    )


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that a person is asked for where a program installs a bundle."""

    name: str
    title: str
    kind: Kind

    @property
    def variable(self) -> str:
        """The environment variable that carries it."""
        return f"{PREFIX}{self.name.upper()}"

    @property
    def description(self) -> str:
        """What the setting itself says."""
        return str(LlamaServerSettings.model_fields[self.name].description)

    @property
    def schema(self) -> Mapping[str, Any]:
        """Its JSON schema, with the default and the range."""
        schema: dict[str, Any] = LlamaServerSettings.model_json_schema()["properties"][self.name]
        return schema


OPTIONS = (
    Option("model_path", "Model", "file"),
    Option("model_dirs", "Folder of models", "directory"),
    Option("llama_cpp_path", "llama.cpp", "directory"),
    Option("ctx_size", "Context window of a conversation, tokens", "number"),
    Option("parallel", "Conversations at once", "number"),
)
