"""What llama-mcp adds to a turn.

    python benchmarks/chat.py [--engine PATH] [--quick]

`chat` with its chunks as progress, by turns with plain streaming HTTP to the same llama-server, in
quiet moments. Two processes of llama-mcp with one home are the two equal builds. llama-server runs
with one thread, since threads that wait for each other multiply what else disturbs them. First with
a tiny model, where what is added shows, then with the starter model.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psutil
from measuring import plain_http, quiet
from measuring.equal_builds import as_body, equal_builds, request, settings_for
from measuring.mcp_client import Server, Turn
from measuring.part import measure_alone
from measuring.processes import processor_seconds
from measuring.rows import Goal, Row, Table
from measuring.scene import poor_environment, tiny_model

TOKENS = 32
ROUNDS, QUICK_ROUNDS = {"tiny": 150, "starter": 60}, {"tiny": 20, "starter": 8}
# Of the first token, of a turn, and of a turn's processor time.
GOALS = {
    "tiny": (
        Goal("added", at_most=2.5),
        Goal("added", at_most=4.5),
        Goal("value", at_most=4.5),
    ),
    "starter": (Goal("added", at_most=5), Goal("added"), Goal("value")),
}
WARM_UP_TURNS = 5

# A turn, and the milliseconds of the processor that llama-mcp used for it.
Taken = tuple[Turn, float]


def through(server: Server, numbers: "count[int]") -> Callable[[], Taken]:
    """Return what takes a turn through llama-mcp."""
    process = psutil.Process(server.pid)

    def take() -> Taken:
        used = processor_seconds(process)
        (turn,) = server.chat(request(next(numbers), TOKENS))
        quiet.wait()  # what it does after the reply is the turn's too
        return turn, (processor_seconds(process) - used) * 1000

    return take


def past(port: int, numbers: "count[int]") -> Callable[[], Taken]:
    """Return what takes a turn over plain HTTP."""

    def take() -> Taken:
        (turn,) = plain_http.chat(port, [as_body(request(next(numbers), TOKENS))])
        return turn, 0.0

    return take


def measure_model(name: str, environment: Mapping[str, str], rounds: int) -> Table:
    """Measure turns with one model."""
    names = ("first token", f"turn of {TOKENS} tokens", "processor time of a turn")
    first_token, whole, processor = (
        Row(f"{name} model: {what}", goals=[goal])
        for what, goal in zip(names, GOALS[name], strict=True)
    )
    numbers = count()
    with ExitStack() as stack:
        one, two, port = equal_builds(stack, environment)
        ways = [through(one, numbers), through(two, numbers), past(port, numbers)]
        for _ in range(WARM_UP_TURNS):
            for way in ways:
                way()
        for taken in quiet.by_turns(ways, rounds):
            (ours, used), (twin, used_by_twin), (plain, _) = taken
            if {turn.tokens for turn in (ours, twin, plain)} != {TOKENS}:
                raise RuntimeError(f"replies of different length: {taken}")
            first_token.add(ours.first_token, plain.first_token, twin.first_token)
            whole.add(ours.total, plain.total, twin.total)
            processor.add(used, None, used_by_twin)
    return Table(f"Replies, {name} model", "plain streaming HTTP", [first_token, whole, processor])


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure turns with both models."""
    rounds = QUICK_ROUNDS if is_quick else ROUNDS
    models: dict[str, Path | str] = {"tiny": tiny_model(folder), "starter": ""}
    return [
        measure_model(
            name, poor_environment(folder / name, **settings_for(engine, model)), rounds[name]
        )
        for name, model in models.items()
    ]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
