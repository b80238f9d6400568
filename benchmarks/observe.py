"""What looking at llama-server costs a chat.

    python benchmarks/observe.py [--engine PATH] [--rounds 24] [--quick]

One long reply, by turns: nobody looks; a client reads the metrics each second; a client subscribes
to metrics, log and status and reads whatever it hears of. The looks go through the same llama-mcp
as the reply, where they could be in its way most. A tiny model runs, at more than a thousand tokens
a second: what a look costs shows as it never would with a model of use.

Beside it, what looking takes of the processor, in llama-mcp and llama-server together: that can be
told on a busy machine too, and 10 ms for a look each second are one in a hundred.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from measuring import quiet
from measuring.mcp_client import Server
from measuring.processes import PATIENCE_SECONDS, processor_seconds
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder, tiny_model

TOKENS, QUICK_TOKENS = 4_000, 2_000
LOOK_SECONDS = 1.0
# A little more than a look is good for.
PAUSE_SECONDS = 1.2
ROUNDS_PER_PAUSE = 4
WATCHED = ("llama://server/metrics", "llama://server/log", "llama://server/status")

NO_LOSS = [Goal("ratio", at_least=0.99)]
READER = Row("metrics read each second", "tok/s", NO_LOSS)
SUBSCRIBER = Row("a subscriber that reads what it hears of", "tok/s", NO_LOSS)
READER_PROCESSOR = Row("processor time of a reply, metrics read each second")
SUBSCRIBER_PROCESSOR = Row("processor time of a reply, with the subscriber")
LOOK = Row("server_metrics, asked anew")
NEXT_LOOK = Row("server_metrics, within a second")
LOOK_PROCESSOR = Row(
    "processor time of server_metrics, asked anew", goals=[Goal("value", at_most=10)]
)
SUBSCRIBED = Row("processor time of an idle second, subscribed", goals=[Goal("added", at_most=10)])

# Called with every message that is not the reply's; sends what the observer sends.
Look = Callable[[dict[str, Any] | None], None]


class Replies:
    """Long replies of one server, while somebody looks."""

    def __init__(self, server: Server, tokens: int) -> None:
        self._server = server
        self._tokens = tokens
        self._numbers = count()
        self._looked_at = 0.0
        self.looks = 0

    def tokens_per_second(self, look: Look) -> float:
        """Have one reply and return how quick it was."""
        message = f"{next(self._numbers):06d}: tell me something"
        asked = {"message": message, "max_tokens": self._tokens, "wait_seconds": PATIENCE_SECONDS}
        began = time.perf_counter()
        reply = self._server.ask_tool("chat", asked, progress=True)
        look(None)
        while (answer := self._server.receive()).get("id") != reply:
            look(answer)
        seconds = time.perf_counter() - began
        tokens: int = answer["result"]["structuredContent"]["usage"]["completion_tokens"]
        return tokens / seconds

    def read_each_second(self, _: dict[str, Any] | None) -> None:
        """Call server_metrics when the last time is a second ago."""
        if time.perf_counter() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.perf_counter()
            self._server.ask_tool("server_metrics", {})
            self.looks += 1

    def read_what_changes(self, message: dict[str, Any] | None) -> None:
        """Read the resource that a notification names."""
        if message and message.get("method") == "notifications/resources/updated":
            self._server.ask("resources/read", uri=message["params"]["uri"])
            self.looks += 1

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Be subscribed to everything that changes while a reply comes."""
        for uri in WATCHED:
            self._server.ask("resources/subscribe", uri=uri)
        yield
        for uri in WATCHED:
            self._server.ask("resources/unsubscribe", uri=uri)


def measure_round(replies: Replies, processes: Sequence[psutil.Process], number: int) -> None:
    """Measure one round; who is first changes."""

    def measured(get_reply: Callable[[], float]) -> tuple[float, float]:
        quiet.wait()
        used_before = used_milliseconds(processes)
        return get_reply(), used_milliseconds(processes) - used_before

    def alone() -> float:
        return replies.tokens_per_second(lambda _: None)

    def reading() -> float:
        return replies.tokens_per_second(replies.read_each_second)

    def listening() -> float:
        with replies.subscribed():
            return replies.tokens_per_second(replies.read_what_changes)

    for speed, processor, looking in (
        (READER, READER_PROCESSOR, reading),
        (SUBSCRIBER, SUBSCRIBER_PROCESSOR, listening),
    ):
        if number % 2:
            ours, baseline = measured(looking), measured(alone)
        else:
            baseline, ours = measured(alone), measured(looking)
        speed.add(ours[0], baseline[0])
        processor.add(ours[1], baseline[1])


def measure_looks(server: Server, processes: Sequence[psutil.Process]) -> None:
    """Measure a look that asks llama-server, and one that comes within the second after."""
    # Threads that have been idle for long end at the next look, and their time is lost with them.
    server.call("server_metrics")
    time.sleep(PAUSE_SECONDS)
    used_before = used_milliseconds(processes)
    began = time.perf_counter()
    server.call("server_metrics")
    LOOK.add((time.perf_counter() - began) * 1000)
    LOOK_PROCESSOR.add(used_milliseconds(processes) - used_before)
    began = time.perf_counter()
    server.call("server_metrics")
    NEXT_LOOK.add((time.perf_counter() - began) * 1000)


def measure_idle_seconds(replies: Replies, processes: Sequence[psutil.Process]) -> None:
    """Measure a pause without and with a subscriber, in which nothing happens."""

    def used_in_a_pause() -> float:
        used_before = used_milliseconds(processes)
        time.sleep(PAUSE_SECONDS)
        return (used_milliseconds(processes) - used_before) / PAUSE_SECONDS

    idle = used_in_a_pause()
    with replies.subscribed():
        used_in_a_pause()  # until what the last reply has changed is told
        SUBSCRIBED.add(used_in_a_pause(), idle)


def used_milliseconds(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time that the processes have used together."""
    return sum(processor_seconds(process) for process in processes) * 1000


def measure(rounds: int, engine: str, tokens: int, folder: Path) -> None:
    """Start everything, measure by turns and print the table."""
    settings = {
        "LLAMA_CPP_PATH": engine,
        "MODEL_PATH": tiny_model(folder),
        "PORT": 0,
        "CTX_SIZE": 16384,
        # Threads of llama-server that wait for each other would multiply what else disturbs them.
        "EXTRA_ARGS": "-t 1",
    }
    with Server(LLAMA_MCP, poor_environment(folder, **settings)) as server:
        server.hello()
        started = server.call("start_llama_server")
        processes = [psutil.Process(pid) for pid in (server.pid, started["pid"])]
        replies = Replies(server, tokens)
        replies.tokens_per_second(replies.read_each_second)
        for number in range(rounds):
            measure_round(replies, processes, number)
            if number % ROUNDS_PER_PAUSE == 0:
                measure_idle_seconds(replies, processes)
                measure_looks(server, processes)
        print(f"{replies.looks} looks during replies")
        # While it writes, its folder cannot be removed.
        server.call("stop_llama_server", force=True)
    replies_rows = [READER, SUBSCRIBER, READER_PROCESSOR, SUBSCRIBER_PROCESSOR]
    rows = [*replies_rows, LOOK, NEXT_LOOK, LOOK_PROCESSOR, SUBSCRIBED]
    print_table("Looking", "the same while nobody looks", rows)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=24, quick=6)
    tokens = QUICK_TOKENS if arguments.quick else TOKENS
    with scratch_folder() as folder:
        measure(arguments.rounds, arguments.engine, tokens, folder)


if __name__ == "__main__":
    main()
