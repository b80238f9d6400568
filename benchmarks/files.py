"""What llama-mcp adds to a job over files, and what the caller pays for it.

    python benchmarks/files.py [--engine PATH] [--model PATH] [--rounds 3] [--quick]

Time: `run_on_files` over one long text, by turns with a script that does the same by hand: it reads
the file and sends the same pieces over plain HTTP, as many at once as there are slots, and then
what puts the replies together. It sends what llama-mcp itself was seen to send, to a second
llama-server with the same command line, so that neither finds the other's cache. The script does
not have to cut the text: the pieces are known to it. The model is the starter model, which takes
some minutes; with --quick it is the tests' tiny one.

Cutting and memory: a text of 2 GB, read and cut in a process of its own, and a job over it that is
cancelled after some pieces. Cost: the characters of arguments and results.
"""

import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from cutting import cut_in_a_process
from measuring import plain_http
from measuring.mcp_client import Server
from measuring.processes import PATIENCE_SECONDS, milliseconds, processor_seconds
from measuring.recording_relay import asked_of, write_relay
from measuring.rows import Goal, Row, print_table
from measuring.scene import (
    LLAMA_MCP,
    engine_command,
    poor_environment,
    read_arguments,
    scratch_folder,
    tiny_model,
)

SLOTS, CTX_SIZE = 4, 4096
# The tiny model reads every letter.
TEXT_BYTES, QUICK_TEXT_BYTES = 60_000, 20_000
REPLY_TOKENS = 64
ONE_BYTES = 30_000
SMALL_BYTES, SMALL_FILES = 1_500, 40
LARGE_BYTES, QUICK_LARGE_BYTES = 2 * 2**30, 256 * 2**20
PIECES_OF_THE_LARGE = 12

TIME = Row("run_on_files, one long text", goals=[Goal("ratio", at_most=1.02)])
PIECES = Row("its pieces", "")
OWN = Row("processor time of llama-mcp for a piece (less noisy)")
CUT = Row("pieces cut a second, their tokens guessed", "/s")
CUT_GROWTH = Row("memory more, reading and cutting 2 GB", "MiB", [Goal("value", at_most=60)])
JOB_GROWTH = Row("memory more, a job over 2 GB", "MiB", [Goal("value", at_most=60)])
AT_MOST = {"in": 200, "out": 700}
QUESTION = "Summarize this in one sentence."
SHORT = {"max_tokens": REPLY_TOKENS, "wait_seconds": PATIENCE_SECONDS}


def prose(seed: int, size_bytes: int) -> str:
    """Return a text with sentences, paragraphs and headings."""
    random_words = random.Random(seed)
    vocabulary = ["".join(random_words.choices("aeioudnrstlmk", k=5)) for _ in range(2000)]
    parts: list[str] = []
    length = 0
    while length < size_bytes:
        sentences = (
            " ".join(random_words.choices(vocabulary, k=random_words.randint(6, 18))).capitalize()
            for _ in range(random_words.randint(3, 9))
        )
        heading = f"# Part {len(parts)}\n\n" if len(parts) % 12 == 0 else ""
        parts.append(f"{heading}{'. '.join(sentences)}.\n\n")
        length += len(parts[-1])
    return "".join(parts)[:size_bytes]


@dataclass
class Job:
    """A job over one text; the number in its instruction keeps the rounds' caches apart."""

    file: Path
    number: int

    @property
    def arguments(self) -> dict[str, Any]:
        """What run_on_files is called with."""
        return {
            "instruction": f"{self.number:06d}: Summarize this text in one sentence.",
            "files": [str(self.file)],
            "max_tokens": REPLY_TOKENS,
            "temperature": 0,
            "wait_seconds": PATIENCE_SECONDS,
        }

    def bodies(self, seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return what was asked in another job, for this one."""
        text = re.sub(r"\b\d{6}: Summarize", f"{self.number:06d}: Summarize", json.dumps(seen))
        bodies: list[dict[str, Any]] = json.loads(text)
        return bodies


def done(server: Server, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Run a job to its end and return the structure of its last result."""
    result = server.call("run_on_files", **arguments)
    while result["status"] in ("in_progress", "waiting"):
        result = server.call(
            "wait_for_reply", session_id=result["session_id"], wait_seconds=PATIENCE_SECONDS
        )
    if result["status"] != "complete":
        raise RuntimeError(f"the job came to no end: {result}")
    return result


def stages_of(seen: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Part what was asked: about the text, and then about replies, each in the order it came.

    Only what puts replies together has none of the text of the file.
    """
    about_replies = [body for body in seen if "<result" in json.dumps(body)]
    about_text = [body for body in seen if body not in about_replies]
    return [about_text, *([body] for body in about_replies)]


def by_hand(port: int, file: Path, stages: Sequence[Sequence[Mapping[str, Any]]]) -> float:
    """Do the same over plain HTTP; return the milliseconds that it took."""
    began = time.perf_counter()
    file.read_text(encoding="utf-8")
    for bodies in stages:
        plain_http.chat(port, bodies, at_once=SLOTS)
    return milliseconds(began)


def seen_in(job: Job, folder: Path, engine: Sequence[str], settings: Mapping[str, Any]) -> Any:
    """Return what llama-mcp asks llama-server for in a job, as bodies."""
    program = write_relay(folder / "relay", engine)
    with server_for(folder / "seen", {**settings, "LLAMA_CPP_PATH": program}) as server:
        done(server, job.arguments)
        return asked_of(program)


@contextmanager
def server_for(folder: Path, settings: Mapping[str, Any]) -> Iterator[Server]:
    """Give a llama-mcp whose llama-server runs."""
    with Server(LLAMA_MCP, poor_environment(folder, **settings)) as server:
        server.hello()
        server.call("start_llama_server", wait_seconds=PATIENCE_SECONDS)
        yield server


def measure_time(
    server: Server, port: int, file: Path, seen: Sequence[Mapping[str, Any]], rounds: int
) -> None:
    """Have the same done both ways by turns; who is first changes."""
    process = psutil.Process(server.pid)
    warm_up = Job(file, rounds + 1)  # the first job imports what jobs need
    done(server, warm_up.arguments)
    by_hand(port, file, stages_of(warm_up.bodies(seen)))
    for number in range(1, rounds + 1):
        job = Job(file, number)
        stages = stages_of(job.bodies(seen))
        baseline = by_hand(port, file, stages) if number % 2 else 0.0
        used, began = processor_seconds(process), time.perf_counter()
        result = done(server, job.arguments)
        ours, used = milliseconds(began), processor_seconds(process) - used
        OWN.add(used * 1000 / len(stages[0]))
        TIME.add(ours, baseline or by_hand(port, file, stages))
        PIECES.add(result["coverage"]["pieces"], len(stages[0]))


def measure_memory(server: Server, file: Path) -> None:
    """Watch the memory of llama-mcp during a job over a large file, which is cancelled then."""
    process = psutil.Process(server.pid)
    before = most = process.memory_info().rss
    arguments = Job(file, 999_999).arguments | {"wait_seconds": 0}
    session = server.call("run_on_files", **arguments)["session_id"]
    ends_at = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < ends_at:
        part = server.call("wait_for_reply", session_id=session, wait_seconds=0.2)
        most = max(most, process.memory_info().rss)
        if part.get("coverage", {}).get("pieces", 0) >= PIECES_OF_THE_LARGE:
            break
        if part["status"] not in ("in_progress", "waiting"):
            raise RuntimeError(f"the job came to an end: {part}")
    server.call("cancel_reply", session_id=session)
    JOB_GROWTH.add((most - before) / 2**20)


def cost_of_chat(server: Server, folder: Path) -> list[Row]:
    """Return what a caller pays for a message about a file."""
    arguments = {"message": QUESTION, "files": [str(folder / "one.txt")], **SHORT}
    return cost_of(server, "chat about 30 KB", "chat", arguments, AT_MOST)


def cost_of_jobs(server: Server, folder: Path) -> list[Row]:
    """Return what a caller pays for jobs over one file and over many."""
    one, many = str(folder / "one.txt"), str(folder / "small-*.txt")
    job = {"instruction": QUESTION, **SHORT}
    saved = {"each": True, "save_to": str(folder / "results.jsonl"), "overwrite": True}
    return [
        *cost_of(server, "a job over 30 KB", "run_on_files", job | {"files": [one]}, AT_MOST),
        *cost_of(server, f"{SMALL_FILES} files", "run_on_files", job | {"files": [many]}),
        *cost_of(
            server, f"{SMALL_FILES} results, saved", "run_on_files", job | {"files": [many]} | saved
        ),
    ]


def cost_of(
    server: Server,
    name: str,
    tool: str,
    arguments: Mapping[str, Any],
    at_most: Mapping[str, int] = MappingProxyType({}),
) -> list[Row]:
    """Call a tool, and count the characters of arguments, text and data."""
    result = server.answer(server.ask_tool(tool, arguments))
    while (news := result["structuredContent"])["status"] in ("in_progress", "waiting"):
        rest = {"session_id": news["session_id"], "wait_seconds": PATIENCE_SECONDS}
        result = server.answer(server.ask_tool("wait_for_reply", rest))
    sizes = {
        "in": len(json.dumps(arguments)),
        "out": len(result["content"][0]["text"]),
        "out as data": len(json.dumps(result["structuredContent"])),
    }
    return [
        Row(
            f"{name}: {what}",
            "chars",
            [Goal("value", at_most=at_most[what])] if what in at_most else [],
            [float(size)],
        )
        for what, size in sizes.items()
    ]


def measure_large(folder: Path, size_bytes: int) -> Path:
    """Cut a large text in a process of its own; return the file."""
    large = folder / "large.txt"
    block = prose(7, 2**20)
    with large.open("w", encoding="utf-8") as file:
        for _ in range(size_bytes // len(block)):
            file.write(block)
    cut = cut_in_a_process(large)
    CUT.add(cut["pieces"] / cut["seconds"])
    CUT_GROWTH.add(cut["growth_mib"])
    return large


def write_texts(folder: Path, size_bytes: int) -> Path:
    """Write the files that jobs are about; return the one whose time is measured."""
    sizes = {"text.txt": size_bytes, "one.txt": ONE_BYTES}
    sizes |= {f"small-{number:02d}.txt": SMALL_BYTES for number in range(SMALL_FILES)}
    for seed, (name, size) in enumerate(sizes.items()):
        (folder / name).write_text(prose(seed, size), encoding="utf-8")
    return folder / "text.txt"


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=3, quick=2, more=["--model"])
    is_quick = arguments.quick
    with scratch_folder() as folder:
        is_tiny = is_quick and not arguments.model
        settings = {
            "LLAMA_CPP_PATH": arguments.engine,
            "MODEL_PATH": tiny_model(folder) if is_tiny else arguments.model or "",
            "PORT": 0,
            "CTX_SIZE": CTX_SIZE,
            "PARALLEL": SLOTS,
            "FILE_DIRS": folder,
            "SAVE_DIRS": folder,
        }
        text = write_texts(folder, QUICK_TEXT_BYTES if is_quick else TEXT_BYTES)
        large = measure_large(folder, QUICK_LARGE_BYTES if is_quick else LARGE_BYTES)
        seen = seen_in(Job(text, 0), folder, engine_command(arguments.engine), settings)
        home = folder / "home"
        with server_for(home, settings) as server:
            hand = plain_http.HandLaunched(plain_http.current_run(home / "llama-mcp"))
            try:
                plain_http.wait_until_answering(hand.port, 0.01)
                measure_time(server, hand.port, text, seen, arguments.rounds)
            finally:
                hand.stop()
            cost = cost_of_jobs(server, folder)
            measure_memory(server, large)
        # The whole file in one window: the tiny model reads every letter.
        roomy = {**settings, "CTX_SIZE": 40_000 if is_tiny else 8192 * 2, "PARALLEL": 1}
        with server_for(folder / "roomy", roomy) as server:
            cost = cost_of_chat(server, folder) + cost
    print_table("Time", "the same by hand over plain HTTP", [TIME, PIECES, OWN])
    print_table("A text of 2 GB", "nothing", [CUT, CUT_GROWTH, JOB_GROWTH])
    print_table("What the caller pays", "nothing", cost)


if __name__ == "__main__":
    main()
