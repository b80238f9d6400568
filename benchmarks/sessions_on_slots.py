"""Does a session find its history in llama-server's cache when there are more sessions than slots?

    python benchmarks/sessions_on_slots.py [--engine PATH] [--model PATH] [--rounds 1] [--quick]

Six sessions with a long history take turns on four slots. The baseline is a client that sends
cache_prompt: false, over plain HTTP to a second llama-server with the same command line, so that
neither disturbs the other's cache. The model is the starter model, which
takes a few minutes; with --quick it is the tests' tiny one.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import plain_http
from measuring.mcp_client import Server, Turn
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder, tiny_model

SESSIONS, SLOTS = 6, 4
CTX_SIZE = 4096
# One token each for the starter model; the tiny one reads letters, so it gets fewer words.
WORDS, TINY_WORDS = 1000, 300
HISTORY_MESSAGES = 20
NEW_WORDS = 12
REPLY_TOKENS = 16

FIRST_TURN = Row("first token, turn 1 (nothing to find yet)")
SECOND_TURN = Row("first token, turn 2", goals=[Goal("ratio", at_most=1)])
CACHED = Row("turn 2: share of the prompt from the cache", "%", [Goal("value", at_least=95)])
PROMPT = Row("turn 2: length of the prompt", "tokens")

_VOCABULARY = ["sun", "rain", "tree", "house", "road", "river", "stone", "light", "wind", "sand"]

Messages = list[dict[str, str]]


@dataclass
class Conversation:
    """One session of ours, and the same talk as a client without a cache sends it whole."""

    history: Messages
    session_id: str = ""


class Talks:
    """Both ways to hold the same talks."""

    def __init__(self, server: Server, port: int, words: int, seed: int) -> None:
        self._server = server
        self._port = port
        self._random = random.Random(seed)
        each = words // HISTORY_MESSAGES
        roles = ["user", "assistant"] * (HISTORY_MESSAGES // 2)
        self.conversations = [
            Conversation([{"role": role, "content": self._say(each)} for role in roles])
            for _ in range(SESSIONS)
        ]

    def take_turn(self, conversation: Conversation) -> tuple[Turn, Turn]:
        """Say something in a conversation both ways."""
        message = self._say(NEW_WORDS)
        how: dict[str, Any] = {"max_tokens": REPLY_TOKENS, "temperature": 0}
        where: dict[str, Any] = (
            {"session_id": conversation.session_id}
            if conversation.session_id
            else {"history": conversation.history}
        )
        (ours,) = self._server.chat({"message": message, **where, **how})
        conversation.session_id = ours.session_id
        messages = [*conversation.history, {"role": "user", "content": message}]
        body = {"messages": messages, "cache_prompt": False, **how}
        (plain,) = plain_http.chat(self._port, [body])
        # Both go on from our reply, so that both prompts stay the same.
        conversation.history = [*messages, {"role": "assistant", "content": ours.text}]
        return ours, plain

    def _say(self, words: int) -> str:
        return " ".join(self._random.choices(_VOCABULARY, k=words))


def measure_round(talks: Talks) -> None:
    """Let every session take its first turn, then every session its second."""
    for conversation in talks.conversations:
        ours, plain = talks.take_turn(conversation)
        FIRST_TURN.add(ours.first_token, plain.first_token)
    for conversation in talks.conversations:
        ours, plain = talks.take_turn(conversation)
        SECOND_TURN.add(ours.first_token, plain.first_token)
        PROMPT.add(ours.prompt_tokens, plain.prompt_tokens)
        CACHED.add(*(100 * turn.cached_tokens / turn.prompt_tokens for turn in (ours, plain)))


def measure(rounds: int, environment: dict[str, str], words: int) -> Sequence[Row]:
    """Start both llama-servers and return what was measured."""
    with Server(LLAMA_MCP, environment) as server:
        server.hello()
        server.call("start_llama_server")
        run = plain_http.current_run(Path(environment["LLAMA_MCP_HOME"]))
        by_hand = plain_http.HandLaunched(run)
        try:
            plain_http.wait_until_answering(by_hand.port, 0.01)
            for seed in range(rounds):
                measure_round(Talks(server, by_hand.port, words, seed))
        finally:
            by_hand.stop()
    return [FIRST_TURN, SECOND_TURN, CACHED, PROMPT]


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=1, quick=1, more=["--model"])
    with scratch_folder() as folder:
        is_tiny = arguments.quick and not arguments.model
        environment = poor_environment(
            folder,
            LLAMA_CPP_PATH=arguments.engine,
            MODEL_PATH=tiny_model(folder) if is_tiny else arguments.model or "",
            PORT=0,
            CTX_SIZE=CTX_SIZE,
            PARALLEL=SLOTS,
        )
        words = TINY_WORDS if is_tiny else WORDS
        rows = measure(arguments.rounds, environment, words)
    print_table(f"{SESSIONS} sessions on {SLOTS} slots", "cache_prompt: false", rows)


if __name__ == "__main__":
    main()
