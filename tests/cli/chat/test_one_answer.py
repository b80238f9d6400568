"""One answer for an argument or a pipe: stdout gets it and nothing else."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from llama_mcp.models.starter_model import starter_model_path
from tests.cli.chat.conftest import SpokenBy
from tests.cli.running import environment_of, run, terminal
from tests.fake_llama_server.install import received_requests
from tests.support.client_process import COMMAND, LlamaMCP
from tests.support.png import png_of

SHORT = ("--max-tokens", "8")


def messages_sent(folder: Path) -> list[str]:
    """Return the last message of each chat that llama-server was sent."""
    chats = [each for each in received_requests(folder) if each["path"].endswith("completions")]
    return [str(chat["body"]["messages"][-1]["content"]) for chat in chats]


def test_an_argument_gives_one_answer(llama_mcp: LlamaMCP) -> None:
    starter = llama_mcp.having(MODEL_PATH=str(starter_model_path()))
    question = ("What is the capital of France?", "--temperature", "0", "--max-tokens", "40")
    done = run(starter, "chat", *question)
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert done.stdout.endswith("\n") and "Loading" not in done.stdout


def test_stdout_gets_the_reply_to_the_character(spoken_by: SpokenBy) -> None:
    said = ["a\r", "\nb\x1b[1m", "\u202ec", "  \n"]
    done = run(spoken_by(*said, reasoning=["hm"]), "chat", "hello")
    assert (done.returncode, done.stdout) == (0, "".join(said))


def test_the_session_is_the_assistants_and_goes_on(llama_mcp: LlamaMCP) -> None:
    first = run(llama_mcp, "chat", "hello", *SHORT)
    again = run(llama_mcp, "chat", "-c", "again", *SHORT, "--json")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    reply = json.loads(again.stdout)
    assert reply["turn"] == 2 and reply["status"] == "complete"
    assert {"session_id", "reply", "usage", "timing"} <= reply.keys()
    named = run(llama_mcp, "chat", "-s", reply["session_id"][:6], "once more", *SHORT, "--json")
    assert json.loads(named.stdout)["turn"] == 3


def test_what_is_piped_in_is_the_message(spoken_by: SpokenBy, fake_folder: Path) -> None:
    done = run(spoken_by("yes"), "chat", piped="héllo\n".encode())
    assert (done.returncode, done.stdout) == (0, "yes\n")
    assert messages_sent(fake_folder)[-1] == "héllo"


def test_what_is_piped_in_goes_with_an_argument(spoken_by: SpokenBy, fake_folder: Path) -> None:
    done = run(spoken_by("yes"), "chat", "which fruit?", piped=b"apples\npears\n")
    assert done.returncode == 0, done.stderr
    assert "apples\npears" in messages_sent(fake_folder)[-1]
    assert "which fruit?" in messages_sent(fake_folder)[-1]


def test_bytes_that_are_no_text_are_no_message(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp, "chat", piped=bytes(range(256)) * 8)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no text" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("",), ("   ",)])
def test_without_a_message_and_a_terminal_nothing_is_done(
    llama_mcp: LlamaMCP, arguments: tuple[str, ...]
) -> None:
    done = run(llama_mcp, "chat", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no message" in done.stderr
    assert not llama_mcp.home.exists()


def test_a_file_is_sent_wherever_it_lies(
    spoken_by: SpokenBy, fake_folder: Path, tmp_path: Path
) -> None:
    work, elsewhere = tmp_path / "work", tmp_path / "user-home"
    work.mkdir()
    elsewhere.mkdir(exist_ok=True)
    (work / "near.txt").write_text("near words", encoding="utf-8")
    (elsewhere / "far.txt").write_text("far words", encoding="utf-8")
    files = ("--file", "near.txt", "--file", str(elsewhere / "far.txt"))
    done = run(spoken_by("yes"), "chat", *files, "sum up", cwd=work)
    assert done.returncode == 0, done.stderr
    assert "near words" in messages_sent(fake_folder)[-1]
    assert "far words" in messages_sent(fake_folder)[-1]


def test_a_secret_file_is_refused(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "config").write_text("Host x", encoding="utf-8")
    done = run(llama_mcp, "chat", "--file", str(folder / "config"), "what is it?")
    assert done.returncode == 1
    assert ".ssh" in done.stderr


def test_folders_that_the_operator_has_named_are_the_border(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    closed = tmp_path / "closed" / "notes.txt"
    closed.write_text("words", encoding="utf-8")
    only = llama_mcp.having(FILE_DIRS=str(tmp_path / "open"))
    done = run(only, "chat", "--file", str(closed), "sum up")
    assert done.returncode == 1
    assert "LLAMA_MCP_FILE_DIRS" in done.stderr


def test_a_picture_for_a_model_that_reads_only_is_refused(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    (tmp_path / "sea.png").write_bytes(png_of(2, 2, seed=1))
    done = run(llama_mcp, "chat", "--file", "sea.png", "what is it?")
    assert (done.returncode, done.stdout) == (1, "")
    assert "reads text only" in done.stderr


def test_a_model_is_started_although_assistants_may_start_none(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp.having(AUTO_START="false"), "chat", "hello", *SHORT)
    assert done.returncode == 0, done.stderr


def test_without_a_model_it_says_so(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp.having(MODEL_PATH="/no/such/model.gguf"), "chat", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "/no/such/model.gguf" in done.stderr


def test_without_an_engine_it_says_so(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    done = run(llama_mcp.having(LLAMA_CPP_PATH=str(tmp_path)), "chat", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert str(tmp_path) in done.stderr


def test_a_reader_that_has_enough_ends_the_reply(long_replies: LlamaMCP, tmp_path: Path) -> None:
    line = f"{shlex.quote(COMMAND)} chat hello | head -c 3"
    done = subprocess.run(
        ["sh", "-c", line],
        env=environment_of(long_replies),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert len(done.stdout) == 3
    assert "Traceback" not in done.stderr
    (session,) = json.loads(run(long_replies, "sessions", "--json").stdout)["sessions"]
    shown = run(long_replies, "sessions", "show", session["session_id"], "--json").stdout
    assert json.loads(shown)["turns"][0]["status"] == "cancelled"


@pytest.mark.posix
def test_ctrl_c_keeps_what_had_come_of_an_answer(long_replies: LlamaMCP) -> None:
    with terminal(long_replies, "chat", "hello") as shown:
        shown.wait_until_it_writes()
        shown.type("\x03")
        shown.wait_for("Stopped. What had come is kept in session ")
        assert shown.exit_code() == 130


def test_a_number_that_no_reply_can_have_is_refused(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp, "chat", "hello", "--max-tokens", "0")
    assert done.returncode == 1
    assert "--max-tokens" in done.stderr
