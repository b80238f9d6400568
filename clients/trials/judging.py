"""Says of each promise whether a run kept it, from what the model was asked and how the run ended.

The promises are the columns of the table in docs/clients.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clients.scripted_model.scenario import (
    LAST_WORDS,
    SEARCH,
    Asked,
    Scenario,
    is_later,
    own_name,
    steps_done,
)
from clients.trials.running import LIMIT_SECONDS, Ended

COLUMNS = ("tools in the first request", "start", "chat", "long reply", "end", "killed")
OK = "ok"


@dataclass(frozen=True)
class Finding:
    """One cell of the table.

    Attributes:
        column: Its column.
        said: What it says.
        is_right: Whether that is as promised.
        is_leftover: Whether something of ours was left behind.
    """

    column: str
    said: str
    is_right: bool
    is_leftover: bool = False


def judge_short(
    scenario: Scenario, questions: list[Asked], ended: Ended, tools: frozenset[str], by_name: bool
) -> Iterator[Finding]:
    """Yield the findings of a run that the program ended itself.

    Args:
        scenario: What the model did: a start and a chat.
        questions: The requests that offered the model tools, oldest first.
        ended: How the run ended.
        tools: The names of all our tools.
        by_name: Whether names without schemas are enough in the first request.
    """
    yield _tools(questions, tools, by_name) if questions else _failed(COLUMNS[0], "no request")
    done = max((steps_done(scenario, asked) for asked in questions), default=0)
    for at, column in enumerate(("start", "chat"), 1):
        yield Finding(column, OK, True) if done >= at else _failed(column, "no such result")
    if ended.code == 0 and LAST_WORDS in ended.output:
        yield _left("end", ended)
    else:
        yield _failed("end", _how(ended))


def judge_long(scenario: Scenario, questions: list[Asked], ended: Ended) -> Iterator[Finding]:
    """Yield the findings of a run with a long reply, killed when the model had all of it."""
    last = questions[-1] if questions else Asked((), (), "")
    parts = sum(is_later(call.result) for call in last.answered)
    if steps_done(scenario, last) < len(scenario):
        yield _failed("long reply", f"it never was complete: {_how(ended)}")
    elif not parts:
        yield _failed("long reply", "it was told at once")
    else:
        yield Finding("long reply", f"ok, in {parts + 1} parts", True)
    if ended.code is None:
        yield _left("killed", ended)
    else:
        yield _failed("killed", f"it ended before, with exit code {ended.code}")


def _tools(questions: list[Asked], tools: frozenset[str], by_name: bool) -> Finding:
    first = questions[0]
    shown = tools & {own_name(name) for name in first.shown}
    if not by_name:
        return Finding(COLUMNS[0], f"{len(shown)}", shown == tools)
    # In the JSON of a request, what stands before a name may be the "n" of an escaped newline.
    named = {name for name in tools if re.search(rf"mcp__llama-mcp__{name}\b", first.text)}
    if shown | named == tools:
        rest = len(named - shown)
        said = f"{len(shown)}, {rest} by name" if shown else f"{rest} by name"
        return Finding(COLUMNS[0], said, True)
    # It was not ready to name them yet; its model can wait for that.
    is_found = any(call.name == SEARCH for asked in questions for call in asked.answered)
    return Finding(COLUMNS[0], "found by its search", is_found)


def _how(ended: Ended) -> str:
    if ended.is_late:
        return f"not done after {LIMIT_SECONDS} s"
    if ended.code == 0:
        return "exit code 0, without the last words"
    return "killed" if ended.code is None else f"exit code {ended.code}"


def _left(column: str, ended: Ended) -> Finding:
    if ended.left:
        return Finding(column, f"FAILED: left: {'; '.join(ended.left)}", False, is_leftover=True)
    return Finding(column, "nothing left", True)


def _failed(column: str, why: str) -> Finding:
    return Finding(column, f"FAILED: {why}", False)
