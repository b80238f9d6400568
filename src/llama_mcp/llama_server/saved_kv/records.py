"""What launch.json says of the prompt caches of a run: where and when the keeper saves them."""

from pydantic import BaseModel

SAVE_FLAG = "--slot-save-path"
# Reading so few again takes no longer than a person waits anyway.
LEAST_TOKENS = 512
# For all slots of a llama-server that is stopped, and so a part of every stop.
LIMIT_SECONDS = 5.0


class FileStamp(BaseModel, frozen=True):
    """A file as it was when its model was started; another file has another stamp."""

    path: str
    size: int
    mtime_ns: int


class SavedKv(BaseModel, frozen=True):
    """Prompt caches of one run. The keeper reads these names too."""

    folder: str
    """Where llama-server writes them; its name says which starts can go on from them (key.py)."""
    limit_bytes: int
    """How much room the files of all models may take."""
    bytes_per_token: float | None = None
    """By the model's header; None where that does not say it."""
    stamps: list[FileStamp] = []
    """The files that the folder's name rests on, for looking whether they are the same still."""
    similarity: float = 0.1
    """The share of a prompt that a slot has to hold for llama-server to take that slot."""
    least_tokens: int = LEAST_TOKENS
    limit_seconds: float = LIMIT_SECONDS
