"""A download as its caller sees it, and how far it is in words."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PrivateAttr, WithJsonSchema

from llama_mcp.visible_text import visible_line
from llama_mcp.wording import lasting, size_text

# Less is over before it is read.
_SHORTEST_LEFT_SECONDS = 1


class DownloadFile(BaseModel):
    """A file of the model, by its path in the repository."""

    name: str
    size_bytes: int


class Quant(BaseModel):
    """Another quant that the repository has."""

    quant: str
    size_bytes: int


class Bytes(BaseModel):
    """How much has come of all files, and how fast."""

    done: int = 0
    total: int | None = Field(default=None, description="None until the hub has told it.")
    per_second: float | None = None
    seconds_left: float | None = None


class Download(BaseModel):
    """How far a download is, or how it ended."""

    model: str = Field(description="What was asked for; the same call again goes on with it.")
    # Each state explains itself, and every agent pays for the catalogue.
    state: Annotated[
        Literal["downloading", "complete", "cancelled"], WithJsonSchema({"type": "string"})
    ]
    model_path: str | None = Field(
        default=None, description="What start_llama_server takes, once it is complete."
    )
    quant: str | None = None
    bytes: Bytes = Field(default_factory=Bytes)
    files: list[DownloadFile] = Field(default_factory=list)
    other_quants: list[Quant] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    _doing: str = PrivateAttr("")

    @property
    def doing(self) -> str:
        """What it does now, other than receive; for who watches."""
        return self._doing


def download_line(download: Download) -> str:
    """Return how far a download is, in a line: for a person who watches it."""
    parts = [*figures_of(download.bytes), visible_line(download.doing)]
    return ", ".join(filter(None, parts)) or download.state


def figures_of(come: Bytes) -> list[str]:
    """Return how much has come, how fast, and how long the rest takes."""
    figures = []
    if come.total:
        total = size_text(come.total)
        figures.append(total if come.done >= come.total else f"{size_text(come.done)} of {total}")
    if come.per_second:
        figures.append(f"{size_text(int(come.per_second))}/s")
    if come.seconds_left and come.seconds_left >= _SHORTEST_LEFT_SECONDS:
        figures.append(f"{lasting(come.seconds_left)} left")
    return figures
