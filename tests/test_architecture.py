"""ARCHITECTURE.md names every room, and CONTRIBUTING.md and it name no module that is not there."""

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
HOUSE = REPOSITORY / "src" / "llama_mcp"
ARCHITECTURE = REPOSITORY / "ARCHITECTURE.md"
PAGES = [ARCHITECTURE, REPOSITORY / "CONTRIBUTING.md"]


def rooms() -> list[str]:
    """Return the folders of the source that hold code, as paths from llama_mcp."""
    folders = (path.parent for path in HOUSE.rglob("__init__.py"))
    return sorted(folder.relative_to(HOUSE).as_posix() for folder in folders if folder != HOUSE)


def module_paths(page: Path) -> list[str]:
    """Return what stands in backticks or code blocks and looks like a module's path."""
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"^```.*?^```|`[^`\n]+`", text, re.DOTALL | re.MULTILINE)
    return [path for part in code for path in re.findall(r"[\w./-]+\.py\b", part)]


@pytest.mark.parametrize("room", rooms())
def test_every_room_is_named_in_the_architecture(room: str) -> None:
    assert f"`{room}/`" in ARCHITECTURE.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    paths = module_paths(page)
    assert paths
    missing = [p for p in paths if not ((HOUSE / p).is_file() or (REPOSITORY / p).is_file())]
    assert not missing


def test_every_contract_of_the_linter_is_in_the_architecture() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    text = ARCHITECTURE.read_text(encoding="utf-8")
    assert [c["name"] for c in contracts if c["name"] not in text] == []
