"""A conversation in a pseudo-terminal, with the embedded engine."""

import json
import os
import re
import signal
import stat

import pytest

from llama_mcp.models.starter_model import starter_model_path
from tests.cli.chat.conftest import SpokenBy
from tests.cli.running import PseudoTerminal, run, terminal
from tests.support.client_process import LlamaMCP
from tests.support.processes import until

pytestmark = pytest.mark.posix

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
SHORT = ("--max-tokens", "8")


def session_in(shown: PseudoTerminal) -> str:
    found = re.search(r"chat -s (\S+)", shown.text)
    assert found, shown.text
    return found[1]


def turns_of(llama_mcp: LlamaMCP, session_id: str) -> list[dict[str, object]]:
    done = run(llama_mcp, "sessions", "show", session_id, "--json")
    assert done.returncode == 0, done.stderr
    turns: list[dict[str, object]] = json.loads(done.stdout)["turns"]
    return turns


def test_a_conversation_is_archived_and_leaves_with_ctrl_d(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat", *SHORT) as shown:
        shown.enter("hello")
        shown.enter("and again")
        shown.enter("/stats")
        shown.wait_for("reply tokens")
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
        assert "Loading tiny" in shown.text
    turns = turns_of(llama_mcp, session_in(shown))
    assert [turn["message"] for turn in turns] == ["hello", "and again"]
    assert all(turn["reply"] and str(turn["reply"]) in shown.text for turn in turns)


def test_the_starter_model_knows_what_was_said_before(llama_mcp: LlamaMCP) -> None:
    starter = llama_mcp.having(MODEL_PATH=str(starter_model_path()))
    with terminal(starter, "chat", "--temperature", "0", "--max-tokens", "40") as shown:
        shown.enter("What is the capital of France?")
        shown.wait_for("Paris")
        shown.wait_for(">>> ")
        shown.type("/bye\r")
        assert shown.exit_code() == 0


def test_ctrl_c_stops_a_reply_and_keeps_it_and_leaves_nobody(long_replies: LlamaMCP) -> None:
    with terminal(long_replies, "chat") as shown:
        shown.enter("go on for ever")
        shown.wait_until_it_writes()
        shown.type(CTRL_C)
        shown.wait_for("Stopped. What had come is kept in session ")
        shown.wait_for(">>> ")
        shown.press_until(CTRL_C, "Ctrl-D or /bye leaves.")
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    [turn] = turns_of(long_replies, session_in(shown))
    assert turn["status"] == "cancelled"


def test_a_message_of_several_lines_is_one_message(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat", *SHORT) as shown:
        shown.enter('"""/first line')
        shown.wait_for("... ")
        shown.type("/bye is no command here\r")
        shown.wait_for("... ")
        shown.type('last line"""\r')
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    [turn] = turns_of(llama_mcp, session_in(shown))
    assert turn["message"] == "/first line\n/bye is no command here\nlast line"


def test_what_was_typed_is_kept_for_its_owner_and_comes_back(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat") as shown:
        shown.enter("/stats of before")
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    history = llama_mcp.home / "chat-history.jsonl"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with terminal(llama_mcp, "chat") as shown:
        shown.wait_for(">>> ")
        shown.type(UP)
        shown.wait_for("/stats of before")
        shown.type(f"\r{CTRL_D}")
        assert shown.exit_code() == 0


def test_slash_commands_find_resume_and_change_sessions(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat", *SHORT, "--system", "Be brief.") as shown:
        shown.enter("about apples")
        shown.enter("/new")
        shown.enter("about pears")
        shown.enter("/system Be long.")
        shown.enter("/sessions apples")
        line = shown.wait_for("about apples")
        apples = line.split()[-3]
        shown.enter(f"/resume {apples}")
        shown.wait_for(f"Session {apples}: about apples")
        shown.enter("/system")
        shown.wait_for("System prompt: Be brief.")
        shown.enter("/model")
        shown.wait_for("running")
        shown.enter("/nonsense")
        shown.wait_for("There is no command /nonsense")
        shown.enter("/help")
        shown.wait_for("/resume ID")
        shown.enter("/bye")
        assert shown.exit_code() == 0
    assert session_in(shown) == apples
    listed = json.loads(run(llama_mcp, "sessions", "--json").stdout)["sessions"]
    assert [each["title"] for each in listed] == ["about pears", "about apples"]


def test_a_failure_is_told_and_the_conversation_goes_on(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat", *SHORT) as shown:
        shown.enter("/resume zzzz-zzzz-zzzz")
        shown.wait_for("There is no session 'zzzz-zzzz-zzzz'")
        shown.enter(" /etc/hosts is a message")
        shown.enter("/model no-such-model")
        shown.enter("hello")
        shown.wait_for("no-such-model")
        shown.enter("/bye")
        assert shown.exit_code() == 0


async def test_a_reply_goes_on_when_the_terminal_is_killed(long_replies: LlamaMCP) -> None:
    with terminal(long_replies, "chat", "--max-tokens", "6000") as shown:
        shown.enter("go on")
        shown.wait_until_it_writes()
        os.kill(shown.pid, signal.Signals["SIGKILL"])
        assert shown.exit_code() == -signal.Signals["SIGKILL"]
    session_id = json.loads(run(long_replies, "sessions", "--json").stdout)["sessions"][0]
    with terminal(long_replies, "chat", "-s", session_id["session_id"]) as shown:
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    [turn] = turns_of(long_replies, session_id["session_id"])
    assert (turn["status"], turn["usage"]["completion_tokens"]) == ("complete", 6000)  # type: ignore[index]  # it is an object


async def test_a_closed_terminal_leaves_the_reply_to_who_asks(long_replies: LlamaMCP) -> None:
    with terminal(long_replies, "chat", "--max-tokens", "6000") as shown:
        shown.enter("go on")
        shown.wait_until_it_writes()
        os.kill(shown.pid, signal.Signals["SIGHUP"])
        assert shown.exit_code() == 1
    done = run(long_replies, "chat", "-c", "--max-tokens", "4", "and now?")
    assert done.returncode in (0, 1)
    listed = json.loads(run(long_replies, "sessions", "--json").stdout)["sessions"]

    def is_whole() -> bool:
        turns = turns_of(long_replies, listed[0]["session_id"])
        return turns[0]["status"] == "complete"

    await until(is_whole, "the whole reply")


def test_a_reply_under_way_is_shown_and_stopped_from_another_terminal(
    long_replies: LlamaMCP,
) -> None:
    with terminal(long_replies, "chat") as first:
        first.enter("go on for ever")
        first.wait_until_it_writes()
        with terminal(long_replies, "chat", "-c") as second:
            second.wait_for("go on for ever")
            second.wait_until_it_writes()
            second.type(CTRL_C)
            second.wait_for("Stopped. What had come is kept in session ")
            second.wait_for(">>> ")
            second.type(CTRL_D)
            assert second.exit_code() == 0
        first.wait_for("It was stopped from another llama-mcp process")
        first.wait_for(">>> ")
        first.type(CTRL_D)
        assert first.exit_code() == 0


def test_replies_are_harmless_and_plain_without_colours(spoken_by: SpokenBy) -> None:
    evil = ["a\r", "\nb\x1b]0;title\x07", "\u202eright\x1b", "[31m", " end"]
    llama_mcp = spoken_by(*evil, reasoning=["let me", " think\x1b[2J"])
    with terminal(llama_mcp, "chat", NO_COLOR="1") as shown:
        shown.enter("hello")
        shown.wait_for("end")
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    assert "\\x1b]0;title\\x07\\u202eright\\x1b[31m end" in shown.shown
    assert "a\r\nb\\x1b" in shown.shown
    assert (
        "\u202e" not in shown.shown and "\x1b]" not in shown.shown and "\x1b[31m" not in shown.shown
    )
    assert "let me" not in shown.text


def test_reasoning_is_dim_where_there_are_colours(spoken_by: SpokenBy) -> None:
    llama_mcp = spoken_by("an answer", reasoning=["let me", " think\x1b[2J"])
    with terminal(llama_mcp, "chat") as shown:
        shown.enter("hello")
        shown.wait_for("an answer")
        shown.wait_for(">>> ")
        shown.type(CTRL_D)
        assert shown.exit_code() == 0
    assert "\x1b[2mlet me think\\x1b[2J\x1b[0m" in shown.shown
