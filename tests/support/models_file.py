"""A file of named models, as an operator writes it."""

import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def why_a_missing_file_is_not_read() -> str:
    """Return the system's words."""
    words = "No such file or directory"
    if sys.platform == "win32":
        words = ctypes.FormatError(2).rstrip(".")  # ERROR_FILE_NOT_FOUND
    return words


def entry(name: str, model_path: object, **values: Any) -> str:
    """Return one entry; TOML takes texts, numbers, lists and switches as JSON writes them."""
    fields = {"name": name, "model_path": str(model_path), **values}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["[[models]]", *lines, ""])


def write_models(file: Path, *entries: str) -> Path:
    """Write a file, as if a while ago: then a look at it is enough to see that it is the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(entries), encoding="utf-8")
    long_ago = time.time() - 60
    os.utime(file, (long_ago, long_ago))
    return file
