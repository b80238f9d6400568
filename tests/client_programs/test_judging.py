"""What `scripts/clients` makes of a run of a client program."""

import json

from clients.scripted_model.scenario import LAST_WORDS, Answered, Asked, Step, ToolCall
from clients.trials.judging import COLUMNS, Finding, judge_long, judge_short
from clients.trials.running import Ended

SHORT = (Step(ToolCall("start_llama_server"), "ready"), Step(ToolCall("chat"), "complete"))
LONG = SHORT[1:]
TOOLS = frozenset({"start_llama_server", "chat"})
STARTED = Answered("start_llama_server", "ready")
CHATTED = Answered("chat", "complete")
WELL = Ended(LAST_WORDS, 0, [])
KILLED = Ended("", None, [])


def request(*answered: Answered, shown: tuple[str, ...] = tuple(TOOLS), text: str = "") -> Asked:
    return Asked(shown, answered, text)


def short(questions: list[Asked], ended: Ended = WELL, *, by_name: bool = False) -> list[Finding]:
    return list(judge_short(SHORT, questions, ended, TOOLS, by_name))


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.column for finding in findings if not finding.is_right]


def test_a_run_that_keeps_every_promise_has_a_finding_for_each_column() -> None:
    found = short([request(), request(STARTED), request(STARTED, CHATTED)])
    later = Answered("chat", "turn 1, in_progress")
    found += judge_long(LONG, [request(later, CHATTED)], KILLED)
    assert wrong(found) == []
    assert sorted(finding.column for finding in found) == sorted(COLUMNS)


def test_a_tool_that_comes_late_is_missed() -> None:
    late = [request(shown=("shell",)), request(STARTED, CHATTED)]
    assert wrong(short(late)) == ["tools in the first request"]


def test_names_are_enough_where_a_client_shows_no_more() -> None:
    names = json.dumps("these:\nmcp__llama-mcp__chat\nmcp__llama-mcp__start_llama_server\n")
    done = request(STARTED, CHATTED)
    assert wrong(short([request(shown=("ToolSearch",), text=names), done], by_name=True)) == []
    unnamed = request(shown=("ToolSearch",))
    assert wrong(short([unnamed, done], by_name=True)) == ["tools in the first request"]
    found = request(Answered("ToolSearch", "chat"), STARTED, CHATTED)
    assert wrong(short([unnamed, found], by_name=True)) == []


def test_a_program_that_asks_nothing_has_kept_nothing() -> None:
    failed = Ended("no such option", 2, [])
    assert wrong(short([], failed)) == ["tools in the first request", "start", "chat", "end"]
    assert wrong(list(judge_long(LONG, [], failed))) == ["long reply", "killed"]


def test_what_is_left_is_told() -> None:
    left = Ended(LAST_WORDS, 0, ["llama-server --port 1"])
    found = short([request(), request(STARTED, CHATTED)], left)
    assert wrong(found) == ["end"] and "llama-server --port 1" in found[-1].said
    assert [finding.is_leftover for finding in found] == [False, False, False, True]


def test_a_long_reply_that_came_at_once_was_none() -> None:
    assert wrong(list(judge_long(LONG, [request(CHATTED)], KILLED))) == ["long reply"]
