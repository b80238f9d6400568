"""The wheel and the sdist, as somebody without this repository installs them."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# Both fetch packages from the index.
BUILD_SECONDS = 300
INSTALL_SECONDS = 300
SERVE_SECONDS = 60
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def run(*command: str, seconds: float, text: str = "", home: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LLAMA_MCP_HOME": str(home)}
    # Where packages come from is the machine's matter.
    indexes = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = subprocess.run(
        command,
        input=text,
        env=environment | indexes,
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--outdir", str(folder), str(REPOSITORY)]
    run(*build, seconds=BUILD_SECONDS, home=folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS + INSTALL_SECONDS + SERVE_SECONDS)
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_installs_into_an_empty_environment_and_serves(
    dist: Path, tmp_path: Path, kind: str
) -> None:
    (package,) = dist.glob(kind)
    venv.create(tmp_path / "empty", with_pip=True)
    programs = tmp_path / "empty" / ("Scripts" if sys.platform == "win32" else "bin")
    install = [str(programs / "pip"), "install", "--quiet", str(package)]
    run(*install, seconds=INSTALL_SECONDS, home=tmp_path)
    hello = json.dumps(HELLO) + "\n" + json.dumps(HELLO | {"id": 2, "method": "tools/list"}) + "\n"
    told = run(str(programs / "llama-mcp"), seconds=SERVE_SECONDS, text=hello, home=tmp_path)
    answers = [json.loads(line) for line in told.splitlines()]
    assert answers[0]["result"]["serverInfo"]["name"] == "llama-mcp"
    assert any(tool["name"] == "chat" for tool in answers[1]["result"]["tools"])
