"""Kill llama-mcp at random moments of many replies: is a word lost, there twice, or mixed up?

    python -m tests.soak.kills [MOMENTS] [--replies N] [--seed N] [--engine PATH]

Without --engine, the replies come from the stand-in, several at once; with it, from a real
llama-server, one after the other, and are compared with what it replies when nobody is killed.
"""

import argparse
import json
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from tests.fake_llama_server.install import install_fake, received_requests
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import LlamaMCP
from tests.support.processes import end_leftovers
from tests.support.raw_client import RawClient, raw_client
from tests.support.tiny_model import write_tiny_model

# Long enough for some processes to begin and to be killed, one after the other.
TOKENS = 120
# A kill comes so long after the question at the latest.
LONGEST_SECONDS = 1.5
EARLY_SHARE = 0.2
REAL_TOKENS = 3000
TURN = """
    SELECT status, coalesce(underway.reply, turns.reply),
        coalesce(underway.reasoning, turns.reasoning), completion_tokens, session_id
    FROM turns JOIN sessions USING (session_key) LEFT JOIN underway USING (turn_key)
    WHERE message = ?
"""


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    moments: int = 100
    replies: int = 20
    at_once: int = 3
    token_seconds: float = 0.2
    seed: int = 1
    engine: str | None = None


@dataclass(frozen=True)
class Expected:
    """A reply that nobody disturbs."""

    text: str
    reasoning: str = ""
    tokens: int = TOKENS


@dataclass
class Killing:
    """A run: what is done to llama-mcp, and what is wrong afterwards."""

    folder: Path
    model: Path
    plan: Plan
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.plan.seed)
        self._moments = [1] * self.plan.moments
        self._fake_folder = self.folder / "fake"
        questions = [f"<reply {number}>" for number in range(self.plan.replies)]
        self._expected: dict[str, Expected] = {}
        if self.plan.engine is None:
            self._expected = {question: _numbered(question) for question in questions}
        self._questions = iter(questions)
        self._told: set[str] = set()
        self._llama_mcp = LlamaMCP(self.folder / "home", self._variables(questions))

    def _variables(self, questions: list[str]) -> dict[str, str]:
        engine = self.plan.engine
        if engine is None:
            delay = {"token_delay_seconds": self.plan.token_seconds}
            by_text = {question: _faults(question) | delay for question in questions}
            engine = str(install_fake(self._fake_folder, by_text=by_text))
        settings = {
            "LLAMA_CPP_PATH": engine,
            "MODEL_PATH": str(self.model),
            "PORT": "0",
            "CTX_SIZE": "4096",
            "PARALLEL": str(self.plan.at_once if self.plan.engine is None else 1),
            "LINGER_SECONDS": "-1",
            "EXTRA_ARGS": "-t 1",
        }
        return {f"LLAMA_MCP_{name}": text for name, text in settings.items()}

    async def run(self) -> list[str]:
        """Kill as often as the plan says, let all replies end, and return what is wrong."""
        async with self._llama_mcp.connect() as connection:
            await connection.call("start_llama_server")
            await connection.call("list_sessions")  # makes the archive
        async with anyio.create_task_group() as tasks:
            for _ in range(self.plan.at_once if self.plan.engine is None else 1):
                tasks.start_soon(self._have_replies)
        async with self._llama_mcp.connect() as connection:
            await connection.call("stop_llama_server", force=True)
        self._compare()
        self.faults += [f"still running: {process}" for process in end_leftovers(self.folder)]
        left = list(self._llama_mcp.home.glob("runs/*/streams/*.json"))
        return [*self.faults, *(f"left: {path.name}" for path in left)]

    async def _have_replies(self) -> None:
        for question in self._questions:
            if self.plan.engine is not None:
                self._expected[question] = await self._undisturbed(question)
            kills = -(-self.plan.moments // self.plan.replies)
            while kills and self._moments and self._turn(question)[0] in ("", "in_progress"):
                kills -= 1
                self._moments.pop()
                await self._kill_one(question)
            await self._finish(question)

    async def _kill_one(self, question: str) -> None:
        """Let a process ask for the reply, or for more of it, and kill it at some moment."""
        async with raw_client(self._llama_mcp) as client:
            await client.hello()
            what = await self._ask(client, question)
            # Some before anything is heard, however slow the machine; most when it is at work.
            if self._random.random() > EARLY_SHARE:
                self._hear(question, await client.next())
            with anyio.move_on_after(self._random.uniform(0, LONGEST_SECONDS)):
                while True:
                    self._hear(question, await client.next())
            client.process.send_signal(signal.Signals["SIGKILL"])
            await client.exit_code()
        self.counts[f"killed after {what}, the reply {self._turn(question)[0] or 'unasked'}"] += 1

    def _hear(self, question: str, message: dict[str, Any]) -> None:
        structure = message.get("result", {}).get("structuredContent", {})
        if structure.get("status") == "in_progress":
            self._told.add(question)

    async def _ask(self, client: RawClient, question: str) -> str:
        status, *_, session_id = self._turn(question)
        asked: dict[str, Any] = {"message": question, "wait_seconds": 0} | self._sampling
        session = {"session_id": session_id}
        what, arguments = "chat", asked
        if status:
            choices: dict[str, dict[str, Any]] = {
                "wait_for_reply": session | {"wait_seconds": self._random.choice([0, 50])},
                "read_session": session,
                "chat": session | {"message": "more", "wait_seconds": 0},
            }
            what = self._random.choices(list(choices), weights=[4, 1, 1])[0]
            arguments = choices[what]
        # A "more" that is not refused, since the reply has ended, is one turn more.
        await client.ask("tools/call", name=what, arguments=arguments, _meta={"progressToken": 1})
        return what

    @property
    def _sampling(self) -> dict[str, Any]:
        return {} if self.plan.engine is None else {"temperature": 0, "max_tokens": REAL_TOKENS}

    async def _undisturbed(self, question: str) -> Expected:
        async with self._llama_mcp.connect() as connection:
            asked = {"message": question, "wait_seconds": 600} | self._sampling
            reply = await connection.call("chat", None, **asked)
            await connection.call("delete_session", session_id=reply["session_id"])
        return Expected(reply["reply"], "", reply["usage"]["completion_tokens"])

    async def _finish(self, question: str) -> None:
        """Have the reply whole, as the next user would."""
        async with self._llama_mcp.connect() as connection:
            status, *_, session_id = self._turn(question)
            if not status:
                await connection.call("chat", None, message=question, **self._sampling)
            elif status == "in_progress":
                result = await connection.result("wait_for_reply", session_id=session_id)
                self.counts[f"finished, {'an error' if result.is_error else 'the reply'}"] += 1

    def _turn(self, question: str) -> tuple[str, str, str, int | None, str]:
        """Return what the archive has of a reply; a status of "" when it has not the question."""
        with closing(sqlite3.connect(self._llama_mcp.home / "sessions.db")) as archive:
            rows = archive.execute(TURN, (question,)).fetchall()
        if len(rows) > 1:
            self.faults.append(f"{question} is in the archive {len(rows)} times")
        return rows[0] if rows else ("", "", "", None, "")

    def _compare(self) -> None:
        asked = Counter(
            request["body"]["messages"][-1]["content"]
            for request in received_requests(self._fake_folder)
            if request["path"] == CHAT
        )
        for question, expected in self._expected.items():
            status, reply, reasoning, tokens, _ = self._turn(question)
            self.counts[f"{status} in the end"] += 1
            if status == "cancelled" and question not in self._told:
                # Nobody came within the grace for a reply of which nobody had been told.
                is_right = expected.text.startswith(reply)
            else:
                whole = (expected.text, expected.reasoning, expected.tokens)
                is_right = status == "complete" and (reply, reasoning, tokens) == whole
            if not is_right:
                self.faults.append(f"{question} is {status}, {tokens} tokens: {reply!r:.300}")
            if self.plan.engine is None and asked[question] != 1:
                self.faults.append(f"{question} was sent {asked[question]} times")


def _faults(question: str) -> dict[str, Any]:
    expected = _numbered(question)
    thoughts = [expected.reasoning] if expected.reasoning else []
    # Thoughts also come between tags, which are parted here; half a tag may be held back.
    number = int(question.strip("<>").split()[1])
    tokens = _words(question)
    if number % 3 == 1:
        tokens = ["<th", "ink>", *tokens[:30], "</th", "ink>", *tokens[30:]]
        thoughts = []
    faults: dict[str, Any] = {"reply_tokens": tokens, "reasoning": thoughts}
    return faults | {"comments": number % 2 == 0, "bytes_per_send": 7 if number % 5 == 0 else 0}


def _numbered(question: str) -> Expected:
    number, words = int(question.strip("<>").split()[1]), _words(question)
    if number % 3 == 1:
        return Expected("".join(words[30:]), "".join(words[:30]), TOKENS + 4)
    if number % 3 == 2:
        return Expected("".join(words), "thoughts of its own", TOKENS + 1)
    return Expected("".join(words))


def _words(question: str) -> list[str]:
    return [f"{question[1:-1].replace(' ', '')}w{number} " for number in range(TOKENS)]


def main() -> int:
    """Kill, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("moments", nargs="?", type=int, default=Plan.moments)
    parser.add_argument("--replies", type=int, default=Plan.replies)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--engine", default=None)
    given = parser.parse_args()
    plan = Plan(given.moments, given.replies, seed=given.seed, engine=given.engine)
    with tempfile.TemporaryDirectory(prefix="llama-mcp-kills-") as name:
        model = write_tiny_model(Path(name) / "tiny.gguf", context_length=8192)
        killing = Killing(Path(name), model, plan)
        faults = anyio.run(killing.run)
        print(json.dumps(dict(sorted(killing.counts.items())), indent=2))
    for fault in faults:
        print(f"WRONG: {fault}")
    print(f"{len(faults)} faults" if faults else "No word lost, none twice, none mixed up.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
