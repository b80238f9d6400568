"""A download as its caller sees it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PrivateAttr, WithJsonSchema


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
