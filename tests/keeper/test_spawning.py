"""How a command line reaches a program through cmd.exe: nothing in it is interpreted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.keeper import spawning

NASTY = [
    *("a&b", "a|b", "a>b", "a<b", "a^b", "a^&b", "(a", "a)", "a;b,c=d", "a b", "", " ", "'a'"),
    *("C:\\R&D\\m.gguf", "C:\\ends here\\", "tail\\\\", "~*?[x]{y}", "näïve – 模型", "& calc &"),
]


def test_every_argument_of_a_batch_file_is_quoted() -> None:
    assert spawning.quote_for_cmd(["a b.cmd", "x&y", ""]) == '"a b.cmd" "x&y" ""'
    assert spawning.quote_for_cmd(["a.cmd", "C:\\b\\"]) == '"a.cmd" "C:\\b\\\\"'


@pytest.mark.parametrize(
    ("argument", "refused"),
    [("100%", "%"), ('{"a": 1}', '"'), ("a!b!", "!"), ("a\r\nb", "\r\n"), ("C:\\a & b", "")],
)
def test_what_no_quotes_hide_from_cmd_is_named(argument: str, refused: str) -> None:
    assert spawning.unquotable(argument) == refused


def test_what_can_be_quoted_is_not_refused() -> None:
    assert [spawning.unquotable(argument) for argument in NASTY] == [""] * len(NASTY)


def test_a_program_that_is_no_batch_file_is_given_its_arguments_as_they_are() -> None:
    command = ["llama-server", "--chat-template-kwargs", '{"a": "100%"}']
    assert spawning.popen_command(command) is command


ECHO = """\
@echo off
"{python}" "{script}" %*
"""


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has batch files")
def test_a_batch_file_is_given_nasty_arguments_and_nothing_of_them_runs(tmp_path: Path) -> None:
    script = tmp_path / "say.py"
    script.write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    batch_file = tmp_path / "R & D" / "say.cmd"
    batch_file.parent.mkdir()
    batch_file.write_text(ECHO.format(python=sys.executable, script=script), encoding="utf-8")
    command = spawning.popen_command([str(batch_file), *NASTY])
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert json.loads(answer.stdout) == NASTY


def test_a_python_is_started_itself_and_not_by_the_launcher_of_a_virtual_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = sys.executable
    monkeypatch.setattr(sys, "executable", "C:\\venv\\Scripts\\python.exe")
    kept, added = {"PATH": "C:\\"}, dict[str, str]()
    if sys.platform == "win32":
        assert spawning.python_command() == [real, "-P"]
        added = {"__PYVENV_LAUNCHER__": sys.executable}
    else:
        assert spawning.python_command() == [sys.executable, "-P"]
    assert spawning.python_environment(kept, {}) == kept | added
