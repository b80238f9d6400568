"""A folder that is open to callers, with a neighbour that is not."""

from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder, border_of
from llama_mcp.settings import FileSettings


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """Return the folder that is open to callers."""
    folder = tmp_path.resolve() / "open"
    folder.mkdir()
    return folder


@pytest.fixture
def closed(opened: Path) -> Path:
    """Return a folder beside it that is not, with one file in it."""
    folder = opened.parent / "closed"
    folder.mkdir()
    (folder / "private.txt").write_text("private", encoding="utf-8")
    return folder


@pytest.fixture
def border(opened: Path) -> FileBorder:
    return border_of(FileSettings(file_dirs=(opened,), save_dirs=(opened,)), [opened])
