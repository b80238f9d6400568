"""The catalogue is what the real server says, byte by byte, and of the SDK that is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.early.catalogue import is_installed, read_catalogue
from llama_mcp.early.messages import HANDSHAKE_VERSIONS

SCRIPT = Path(__file__).parents[2] / "scripts" / "catalogue.py"


def test_the_catalogue_is_what_the_real_server_says_now() -> None:
    command = [sys.executable, str(SCRIPT), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_eras_have_their_greeting_and_every_list() -> None:
    catalogue = read_catalogue()
    assert catalogue is not None
    lists = {"tools/list", "prompts/list", "resources/templates/list", "resources/list"}
    assert {method for era, method in catalogue if era == "legacy"} == {
        *("initialize", "ping"),
        *lists,
    }
    assert {method for era, method in catalogue if era == "modern"} == {"server/discover", *lists}
    # Where the version that a client asks for takes its place.
    greeting = catalogue["legacy", "initialize"]
    assert greeting.count(f'"protocolVersion":"{HANDSHAKE_VERSIONS[-1]}"') == 1


@pytest.mark.parametrize("content", ["", "mcp 0.0.1\nlegacy ping {}\n", "\udcff", None])
def test_a_catalogue_of_another_sdk_or_a_broken_one_is_not_used(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "catalogue.txt"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert read_catalogue(str(path)) is None


def test_the_package_that_python_would_import_is_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, version in ((first, "1.0"), (second, "2.0")):
        (folder / "some").mkdir(parents=True)
        (folder / f"some-{version}.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "none"), str(first), str(second)])
    assert is_installed("some 1.0")
    assert not is_installed("some 2.0")
    assert not is_installed("other 1.0")
