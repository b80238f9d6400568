"""What the scripted model does: it takes the steps of a scenario, in order, and then says so.

The model has no memory. Like a real one it goes by the conversation that each request holds: which
steps are done is told by the results in it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# What the model says when a scenario is over, and to questions that offer it none of our tools.
LAST_WORDS = "The local model has answered."
# Claude Code shows some tools by name only; this one gives their schemas.
SEARCH = "ToolSearch"
# A call that failed, or that a client cut off, is made once more, but not for ever.
MOST_FAILURES = 4
_PREFIX = re.compile(r"^(?:mcp_+)?llama[-_]mcp(?:_+|-|\.)")
_SESSION = re.compile(r"session_id\W+([a-z0-9]{4}(?:-[a-z0-9]{4}){2})")
# As text says it, and as structure does.
_LATER = re.compile(r"(?:turn \d+, |status\W{1,12})(?:in_progress|waiting)\b")


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; the name is its own in a scenario, the client's in a request."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A call, and a pattern that the results have when it is done."""

    call: ToolCall
    done: str


Scenario = tuple[Step, ...]


@dataclass(frozen=True)
class Answered:
    """A call, by the name that the client gave the tool, and what came back, as text."""

    name: str
    result: str


@dataclass(frozen=True)
class Asked:
    """A request to the model.

    Attributes:
        shown: The names of all tools whose schemas it holds, as the client calls them.
        answered: The calls that it holds with their results, oldest first.
        text: All of it, to look for names in.
    """

    shown: tuple[str, ...]
    answered: tuple[Answered, ...]
    text: str


def own_name(name: str) -> str:
    """Return a tool's own name, without what a client puts in front of it."""
    return _PREFIX.sub("", name)


def next_move(scenario: Scenario, asked: Asked) -> ToolCall | str:
    """Return the next call, its tool named as the client names it, or the last words."""
    wanted = _next_call(scenario, [call for call in asked.answered if call.name != SEARCH])
    if wanted is None:
        return LAST_WORDS
    for shown in asked.shown:
        if own_name(shown) == wanted.name:
            return ToolCall(shown, wanted.arguments)
    if SEARCH in asked.shown and "llama-mcp" in asked.text:
        return ToolCall(SEARCH, {"query": f"select:mcp__llama-mcp__{wanted.name}"})
    return LAST_WORDS


def steps_done(scenario: Scenario, asked: Asked) -> int:
    """Return how many steps the results in a request say are done."""
    return len(scenario) - len(_open_steps(scenario, asked.answered)[0])


def is_later(result: str) -> bool:
    """Tell whether a result says that the reply goes on."""
    return _LATER.search(result) is not None


def _next_call(scenario: Scenario, answered: list[Answered]) -> ToolCall | None:
    steps, failures = _open_steps(scenario, answered)
    if not steps or failures >= MOST_FAILURES:
        return None
    last = answered[-1].result if answered else ""
    session = _SESSION.search(last) if is_later(last) else None
    if session:
        return ToolCall("wait_for_reply", {"session_id": session[1]})
    return steps[0].call


def _open_steps(scenario: Scenario, answered: Iterable[Answered]) -> tuple[Scenario, int]:
    """Return the steps that are not done, and how often the first of them failed."""
    steps, failures = scenario, 0
    for call in answered:
        if steps and re.search(steps[0].done, call.result):
            steps, failures = steps[1:], 0
        elif not is_later(call.result):
            failures += 1
    return steps, failures
