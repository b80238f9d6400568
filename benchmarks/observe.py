"""What looking at llama-server costs a chat.

    python benchmarks/observe.py [--engine PATH] [--rounds 24] [--quick]

One long reply, by turns: nobody looks; a client reads the metrics each second; a client subscribes
to metrics, log and status and reads whatever it hears of. The looks go through the same llama-mcp
as the reply, where they could be in its way most. A tiny model runs, at more than a thousand tokens
a second: what a look costs shows as it never would with a model of use.

The page of `llama-mcp dashboard` looks each second too, through a process of its own; two of them,
by turns, are the control. A loop in a thread stands for the page.

Beside it, what looking takes of the processor, in llama-mcp and llama-server together: that can be
told on a busy machine too, and 10 ms for a look each second are one in a hundred.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from measuring import quiet
from measuring.dashboard_page import LOOK_SECONDS, Page, dashboard_server
from measuring.mcp_client import Server
from measuring.processes import PATIENCE_SECONDS, processor_seconds
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder, tiny_model

TOKENS, QUICK_TOKENS = 4_000, 2_000
# A little more than a look is good for.
PAUSE_SECONDS = 1.2
ROUNDS_PER_PAUSE = 4
PAGE_AT_MOST_SECONDS = 300
PAGE_LOOKS = 15
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
PAGE = Row("a page of the dashboard", "tok/s", NO_LOSS)
PAGE_PROCESSOR = Row("processor time of a reply, with a page of the dashboard")
PAGE_LOOK = Row("processor time of a page's look", goals=[Goal("value", at_most=10)])
PAGE_IDLE = Row("processor time of an idle second, with a page", goals=[Goal("added", at_most=10)])
PAGE_MEMORY = Row("memory of the dashboard (resident)", "MiB", [Goal("value")])
PAGE_UNSHARED = Row("memory of the dashboard (its own alone)", "MiB", [Goal("value")])

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


def measure_pages(
    replies: Replies, pages: Sequence[Page], processes: Sequence[psutil.Process], rounds: int
) -> None:
    """Measure replies without a page, with one, and with its equal; and what the looks use."""
    everything = [*processes, *(page.process for page in pages)]

    def reply() -> tuple[float, float]:
        used_before = used_milliseconds(everything)
        speed = replies.tokens_per_second(lambda _: None)
        return speed, used_milliseconds(everything) - used_before

    def with_page(page: Page) -> tuple[float, float]:
        looks_before, used_before = page.looks, used_milliseconds([page.process])
        with page.open():
            measured = reply()
        used = used_milliseconds([page.process]) - used_before
        PAGE_LOOK.add(used / (page.looks - looks_before))
        return measured

    def looking(page: Page) -> Callable[[], tuple[float, float]]:
        return lambda: with_page(page)

    for page in pages:
        page.look()
    for ours, twin, alone in quiet.by_turns(
        [*map(looking, pages), reply], rounds, PAGE_AT_MOST_SECONDS
    ):
        PAGE.add(ours[0], alone[0], twin[0])
        PAGE_PROCESSOR.add(ours[1], alone[1], twin[1])


def measure_idle_pages(pages: Sequence[Page], processes: Sequence[psutil.Process]) -> None:
    """Measure looks while nothing happens, and the memory of the dashboard after all of them."""
    everything = [*processes, *(page.process for page in pages)]

    def used_in_a_second(look: Callable[[], None]) -> float:
        used_before = used_milliseconds(everything)
        look()
        time.sleep(LOOK_SECONDS)
        return used_milliseconds(everything) - used_before

    for _ in range(PAGE_LOOKS):
        idle = used_in_a_second(lambda: None)
        ours, twin = (used_in_a_second(page.look) for page in pages)
        PAGE_IDLE.add(ours, idle, twin)
    memories = [page.process.memory_full_info() for page in pages]
    for row, of in ((PAGE_MEMORY, "rss"), (PAGE_UNSHARED, "uss")):
        ours, twin = (getattr(memory, of) / 2**20 for memory in memories)
        row.add(ours, None, twin)


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
    environment = poor_environment(folder, **settings)
    with ExitStack() as stack:
        server = stack.enter_context(Server(LLAMA_MCP, environment))
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
        pages = [
            Page(stack.enter_context(dashboard_server(folder / name, environment)))
            for name in ("page", "equal-page")
        ]
        measure_pages(replies, pages, processes, rounds)
        measure_idle_pages(pages, processes)
        print(f"{sum(page.looks for page in pages)} looks of the dashboard's pages")
        # While it writes, its folder cannot be removed.
        server.call("stop_llama_server", force=True)
    replies_rows = [READER, SUBSCRIBER, READER_PROCESSOR, SUBSCRIBER_PROCESSOR]
    rows = [*replies_rows, LOOK, NEXT_LOOK, LOOK_PROCESSOR, SUBSCRIBED]
    rows += [PAGE, PAGE_PROCESSOR, PAGE_LOOK, PAGE_IDLE, PAGE_MEMORY, PAGE_UNSHARED]
    print_table("Looking", "the same while nobody looks", rows)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=24, quick=6)
    tokens = QUICK_TOKENS if arguments.quick else TOKENS
    with scratch_folder() as folder:
        measure(arguments.rounds, arguments.engine, tokens, folder)


if __name__ == "__main__":
    main()
