"""How long after llama-server has sent its first text a client has it.

    python benchmarks/first_text.py [--engine PATH] [--quick]

The starter model reads prompts of 50, 500 and 2,000 tokens behind a relay that notes when its first
text comes. Through two equal builds of llama-mcp and over plain HTTP, by turns.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from measuring import plain_http, quiet
from measuring.equal_builds import as_body, equal_builds, settings_for
from measuring.mcp_client import Turn
from measuring.part import measure_alone
from measuring.recording_relay import moments_of, write_relay
from measuring.rows import Goal, Row, Table
from measuring.scene import engine_command, poor_environment

PROMPT_TOKENS = {50: 30, 500: 16, 2000: 4}
QUICK_ROUNDS = 2
REPLY_TOKENS = 8
# What the system prompt and the template take; each word of the message is a token.
AROUND_TOKENS = 30
GOAL = Goal("slow", at_most=5)

_VOCABULARY = ["sun", "rain", "tree", "house", "road", "river", "stone", "light", "wind", "sand"]

Chat = Callable[[dict[str, Any]], Sequence[Turn]]


def request(number: int, prompt_tokens: int) -> dict[str, Any]:
    """Return what is asked of all; its beginning is not in any cache."""
    words = random.Random(number).choices(_VOCABULARY, k=prompt_tokens - AROUND_TOKENS)
    return {
        "system_prompt": f"{number:06d}. You are a helpful assistant.",
        "message": f"{' '.join(words)}. Tell me a long story with these words.",
        "max_tokens": REPLY_TOKENS,
        "temperature": 0,
    }


def behind(
    program: Path, chat: Chat, numbers: "count[int]", prompt_tokens: int
) -> Callable[[], float]:
    """Return what has a reply and tells how late its first text was, in milliseconds."""

    def take() -> float:
        since = time.perf_counter()
        (turn,) = chat(request(next(numbers), prompt_tokens))
        quiet.wait()  # the relay writes down what it has passed on
        sent_at = moments_of(program, since).first_text
        return (turn.begun_at - sent_at) * 1000 + turn.first_token

    return take


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure the first text of prompts of each length."""
    program = write_relay(folder / "relay", engine_command(engine))
    environment = poor_environment(folder, **settings_for(str(program.parent), ""))
    numbers = count()
    rows: list[Row] = []
    with ExitStack() as stack:
        one, two, port = equal_builds(stack, environment)
        chats: list[Chat] = [
            one.chat,
            two.chat,
            lambda asked: plain_http.chat(port, [as_body(asked)]),
        ]
        for prompt_tokens, rounds in PROMPT_TOKENS.items():
            row = Row(f"first text, {prompt_tokens} tokens of prompt", goals=[GOAL])
            ways = [behind(program, chat, numbers, prompt_tokens) for chat in chats]
            if not rows:
                for way in ways:
                    way()
            for ours, twin, plain in quiet.by_turns(ways, QUICK_ROUNDS if is_quick else rounds):
                row.add(ours, plain, twin)
            rows.append(row)
    return [Table("After llama-server sent it", "plain streaming HTTP", rows)]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
