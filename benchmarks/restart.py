"""What does a prompt cache on disk save after a restart, and what does it cost?

    python benchmarks/restart.py [--engine PATH] [--model PATH] [--rounds 1] [--quick]

Two sessions of about 2,000 and 4,000 tokens, a stop, a start, and the next turn of each: with saved
prompt caches, and by the same with LLAMA_MCP_KV_DISK_MB=0 as the baseline. Both are asked the same
at temperature 0, so that their replies can be compared. The model is the starter model, which takes
some minutes; with --quick it is the tests' tiny one, which reads so fast that it shows little.
"""

import random
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
from measuring.mcp_client import Server, Turn
from measuring.processes import milliseconds
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder, tiny_model

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.restored_prompt import KeptPrompt
from llama_mcp.llama_server.saved_kv.records import SavedKv
from llama_mcp.llama_server.saved_kv.restoring import restore_prompt

CTX_SIZE = 8192
SLOTS = 2
# A word is about a token of the starter model; the tiny one reads letters.
WORDS, TINY_WORDS = (1900, 3900), (350, 700)
REPLY_TOKENS = 16
# Sessions with nothing to restore: a new one's second launch has no file of its own.
TURNS_WITHOUT = 10
LOOKS = 500

GOAL = Goal("ratio", at_most=1 / 30)

FIRST_TOKENS = Row("first token after a restart, 2,000 tokens", goals=[GOAL])
FIRST_TOKENS_LONG = Row("the same, 4,000 tokens", goals=[GOAL])
CACHED = Row("prompt from the cache then", "%", [Goal("value", at_least=95)])
SAME = Row("replies that are the same as without", "%", [Goal("value", at_least=100)])
STOP = Row("a stop")
RESTORE = Row("restoring 4,000 tokens, of the first token")
WITHOUT = Row("a turn that has nothing to restore")
BREAK_EVEN = Row("break-even", "tokens")
LOOKING = Row("looking for a file where there is none", goals=[Goal("value", at_most=1)])

_VOCABULARY = ["sun", "rain", "tree", "house", "road", "river", "stone", "light", "wind", "sand"]


class Home:
    """One llama-mcp with its own home, and what its sessions have said."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._server = Server(LLAMA_MCP, environment)
        self._server.hello()

    def say(self, message: str, session_id: str | None = None, **more: Any) -> Turn:
        """Have a turn, always drawn the same way."""
        where = {"session_id": session_id} if session_id else {}
        how: dict[str, Any] = {"max_tokens": REPLY_TOKENS, "temperature": 0}
        (turn,) = self._server.chat({"message": message, **where, **how, **more})
        return turn

    def receipt(self, session_id: str) -> dict[str, Any]:
        """Return the receipt of a session's last turn."""
        page = self._server.call("read_session", session_id=session_id)
        receipt: dict[str, Any] = page["turns"][-1]["receipt"]
        return receipt

    def start(self) -> None:
        """Start llama-server."""
        self._server.call("start_llama_server")

    def stop(self) -> float:
        """Stop llama-server; return how many milliseconds that took."""
        began = perf_counter()
        self._server.call("stop_llama_server")
        return milliseconds(began)

    def close(self) -> None:
        """End llama-mcp."""
        self._server.close()


def text_of(words: int, seed: int) -> str:
    """Return a message that no other seed gives, and that has a reply."""
    text = " ".join(random.Random(seed).choices(_VOCABULARY, k=words))
    return f"{seed}. Here are some words: {text}. Tell me a story about the sun and the rain."


def measure_round(homes: list[Home], words: tuple[int, int], seed: int) -> None:
    """Measure both homes, ours first, with the same talks."""
    firsts, seconds, stops = [], [], []
    for home in homes:
        home.start()
        firsts.append([home.say(text_of(each, seed + each)) for each in words])
        if not all(turn.text for turn in firsts[-1]):
            raise RuntimeError("a turn without a reply is no part of the next prompt")
        stops.append(home.stop())
        home.start()
        seconds.append(
            [home.say("Go on with the story.", first.session_id) for first in firsts[-1]]
        )
    STOP.add(*stops)
    for row, ours, plain in zip((FIRST_TOKENS, FIRST_TOKENS_LONG), *seconds, strict=True):
        row.add(ours.first_token, plain.first_token)
        CACHED.add(*(100 * turn.cached_tokens / turn.prompt_tokens for turn in (ours, plain)))
        SAME.add(100.0 * (ours.text == plain.text))
    receipt = homes[0].receipt(seconds[0][1].session_id)
    if receipt.get("restore") != "from disk":
        raise RuntimeError(f"nothing was restored: {receipt}")
    RESTORE.add(receipt["restore_ms"])
    _add_break_even(seconds, receipt)
    measure_without(homes)
    for home in homes:
        home.stop()


def _add_break_even(seconds: list[list[Turn]], receipt: dict[str, Any]) -> None:
    """Add after how many tokens restoring takes no longer than reading.

    What restoring takes is taken to be the same whatever is restored, which overstates it for few.
    """
    plain = seconds[1][1]
    per_token = plain.first_token / (plain.prompt_tokens - plain.cached_tokens)
    BREAK_EVEN.add(receipt["restore_ms"] / per_token)


def measure_without(homes: list[Home]) -> None:
    """Compare turns that are the first of their session on a launch, and have no file."""
    sessions = [
        [home.say(f"Hello {n}.").session_id for n in range(TURNS_WITHOUT)] for home in homes
    ]
    for home in homes:
        home.stop()
        home.start()
        home.say("Warm up.")
    for pair in zip(*sessions, strict=True):
        turns = [home.say("And?", each) for home, each in zip(homes, pair, strict=True)]
        WITHOUT.add(*(turn.first_token for turn in turns))


def measure_looking(folder: Path) -> None:
    """Measure what a turn does that finds nothing, among the files of ten other sessions."""
    for number in range(10):
        (folder / f"session-{number}.kv").write_bytes(bytes(1000))
    kv = SavedKv(folder=str(folder), limit_bytes=0)
    kept = KeptPrompt("another", {}, None)

    async def look() -> None:
        client = LlamaServerClient("http://127.0.0.1:9")
        for _ in range(LOOKS):
            began = perf_counter()
            assert await restore_prompt(kv, folder, client, 0, {}, kept) is None
            LOOKING.add(milliseconds(began))
        await client.aclose()

    anyio.run(look)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=1, quick=1, more=["--model"])
    with scratch_folder() as folder:
        is_tiny = arguments.quick and not arguments.model
        model = tiny_model(folder) if is_tiny else arguments.model or ""
        homes = [_home(folder / name, arguments.engine, model, mb) for name, mb in _HOMES.items()]
        try:
            for number in range(arguments.rounds):
                measure_round(homes, TINY_WORDS if is_tiny else WORDS, 100 * number)
        finally:
            for home in homes:
                home.close()
        looked = folder / "looked"
        looked.mkdir()
        measure_looking(looked)
    title = f"two sessions on {SLOTS} slots, stopped and started again"
    first = [FIRST_TOKENS, FIRST_TOKENS_LONG, CACHED, SAME]
    rows = [*first, RESTORE, BREAK_EVEN, STOP, WITHOUT, LOOKING]
    print_table(title, "LLAMA_MCP_KV_DISK_MB=0", rows)
    saved = STOP.figure("added")
    print(f"saving adds {saved:.0f} ms to a stop; {statistics.median(RESTORE.ours):.0f} ms restore")


_HOMES = {"kept": 2048, "plain": 0}


def _home(folder: Path, engine: str, model: object, limit_mb: int) -> Home:
    folder.mkdir()
    return Home(
        poor_environment(
            folder,
            LLAMA_CPP_PATH=engine,
            MODEL_PATH=model,
            PORT=0,
            CTX_SIZE=CTX_SIZE,
            PARALLEL=SLOTS,
            KV_DISK_MB=limit_mb,
            # Two threads of llama.cpp wait for each other long on a machine that others share.
            EXTRA_ARGS="-t 1",
        )
    )


if __name__ == "__main__":
    main()
