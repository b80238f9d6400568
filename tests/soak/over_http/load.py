"""The load: people with several clients each, clients that die, and a server that is killed."""

import random
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psutil
from anyio.abc import Process

from llama_mcp.tokens.writing import add_token
from tests.soak.client import Era, GoneError, HangError, SoakClient, soak_client
from tests.soak.ledger import Ledger
from tests.soak.load import era
from tests.soak.over_http.prying import pry, strange_in
from tests.soak.talker import Talker
from tests.support.client_process import COMMAND
from tests.support.processes import PATIENCE_SECONDS

URIS = ["llama://sessions", "llama://server/status"]
# What somebody does after the server was away.
AWAY_SECONDS = 1.0
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    seconds: float
    people: int = 5
    clients_each: int = 10
    pause_seconds: float = 5.0
    life_seconds: float = 60.0
    server_life_seconds: float = 45.0
    seed: int = 1

    @property
    def names(self) -> list[str]:
        return [f"person{number}" for number in range(self.people)]


@dataclass
class HttpSoak:
    """A run: its folder, what was done, and what was measured."""

    folder: Path
    model: Path
    plan: Plan
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counter[str] = field(default_factory=Counter)
    memory_mib: list[list[float]] = field(default_factory=list)
    """Of each life of the server, once a second."""
    frames: int = 0

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.stderr = self.folder / "stderr.log"
        self.bridge_mib = 0.0
        self._random = random.Random(self.plan.seed)
        self._is_over = False
        self._server: Process | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            "HOME": self.home,
            "LLAMA_CPP_PATH": "embedded",
            "MODEL_PATH": self.model,
            "PORT": 0,
            "CTX_SIZE": 4096,
            "PARALLEL": 4,
            "EXTRA_ARGS": "-t 1",
            "LINGER_SECONDS": 5,
            "FINISH_SECONDS": 20,
        }
        named = {f"LLAMA_MCP_{name}": str(value) for name, value in settings.items()}
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **named}

    async def run(self) -> None:
        """Put the server under load for so long as the plan says; then everybody leaves."""
        for name in self.plan.names:
            token = self.folder / name
            token.touch(0o600)
            token.write_text(add_token(self.folder / "tokens.toml", name, "operate"))
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._serve)
            tasks.start_soon(self._measure)
            async with anyio.create_task_group() as clients:
                clients.start_soon(self._end_in_time)
                for name in self.plan.names:
                    for number in range(self.plan.clients_each):
                        clients.start_soon(self._live_and_die, name, number)
            tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Process]:
        """Run the server once; it is killed at the end of the context if it still lives."""
        command = [COMMAND, "serve", "--http", f"127.0.0.1:{self.port}"]
        with self.stderr.open("ab") as log:
            process = await anyio.open_process(
                [*command, "--tokens", str(self.folder / "tokens.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )
        try:
            await self._until_it_serves(process)
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            with anyio.CancelScope(shield=True):
                await process.wait()

    @asynccontextmanager
    async def bridge(self, person: str, era: Era) -> AsyncIterator[SoakClient]:
        """Run a bridge for somebody, of whom all is looked at that it shows."""
        argv = [COMMAND, "connect", f"http://127.0.0.1:{self.port}"]
        argv += ["--token-file", str(self.folder / person)]
        async with soak_client(argv, self.environment, era, self.stderr) as client:
            client.heed = self._heeding(person)
            yield client

    async def _until_it_serves(self, process: Process) -> None:
        with anyio.fail_after(PATIENCE_SECONDS):
            while process.returncode is None:
                with suppress(OSError, anyio.EndOfStream):
                    async with await anyio.connect_tcp("127.0.0.1", self.port) as wire:
                        await wire.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        if (await wire.receive()).startswith(b"HTTP/1.1 200"):
                            return
                await anyio.sleep(0.05)
        self.ledger.fault(f"the server does not start: {process.returncode}")

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run one server after another, each ended in the middle of something."""
        is_first = True
        while True:
            async with self.serving() as process:
                self._server = process
                self.memory_mib.append([])
                if is_first:
                    task_status.started()
                    is_first = False
                with anyio.move_on_after(
                    self._random.uniform(0.5, 1.5) * self.plan.server_life_seconds
                ):
                    await process.wait()
                    self.ledger.fault(f"the server has ended with {process.returncode}")
                how = self._random.choice(["SIGKILL", "SIGKILL", "SIGTERM"])
                self.counts[f"server ended by {how}"] += 1
                with suppress(ProcessLookupError):
                    process.send_signal(signal.Signals[how])
                with anyio.fail_after(PATIENCE_SECONDS):
                    await process.wait()

    async def _measure(self) -> None:
        while True:
            await anyio.sleep(SAMPLE_SECONDS)
            if self._server is not None and self._server.returncode is None:
                with suppress(psutil.Error):
                    rss = psutil.Process(self._server.pid).memory_info().rss
                    if rss:  # none is left of one that has just ended
                        self.memory_mib[-1].append(round(rss / 2**20, 1))

    async def _end_in_time(self) -> None:
        await anyio.sleep(self.plan.seconds)
        with anyio.move_on_after(PATIENCE_SECONDS):  # a short run on a busy machine has seen little
            while not self._has_seen_something():
                await anyio.sleep(0.2)
        self._is_over = True

    def _has_seen_something(self) -> bool:
        """Tell whether a reply has come, and the server was killed and started again."""
        is_any_complete = any(said.status == "complete" for said in self.ledger.said.values())
        return is_any_complete and len(self.memory_mib) > 1

    async def _live_and_die(self, person: str, number: int) -> None:
        """Run one bridge after another; each ends in the middle of something, in some way."""
        chance = random.Random(f"{person} {number} {self.plan.seed}")
        life = 0
        while not self._is_over:
            life += 1
            owner = f"{person}x{number}x{life}"
            client_of = self.bridge(person, era(number + life))
            async with client_of as client, anyio.create_task_group() as tasks:
                tasks.start_soon(self._talk, owner, client)
                with anyio.move_on_after(chance.uniform(0.1, 2) * self.plan.life_seconds):
                    while not self._is_over:
                        await anyio.sleep(0.2)
                with suppress(psutil.Error):
                    rss = psutil.Process(client.process.pid).memory_info().rss
                    self.bridge_mib = max(self.bridge_mib, round(rss / 2**20, 1))
                await self._end_one(client, chance)
                tasks.cancel_scope.cancel()
            self.frames += client.wire.frames
            for violation in client.wire.violations:
                self.ledger.fault(f"{owner}: {violation[:500]}")

    async def _talk(self, owner: str, client: SoakClient) -> None:
        talker = Talker(owner, self.ledger, self.counts, self.plan.seed)
        pauses = random.Random(owner)
        is_greeted = False
        while not client.is_gone:
            try:
                if not is_greeted:
                    await client.hello()
                    await client.subscribe(URIS)
                    is_greeted = True
                if pauses.random() < 0.1:
                    await pry(owner, client, self.ledger, self.counts, pauses)
                else:
                    await talker.step(client)
            except GoneError:
                self.counts["told that the server is away"] += not client.is_gone
                await anyio.sleep(AWAY_SECONDS)
            except HangError as error:
                self.ledger.fault(f"{owner}: {error}")
                return
            await anyio.sleep(pauses.uniform(0, 2 * self.plan.pause_seconds))

    async def _end_one(self, client: SoakClient, chance: random.Random) -> None:
        how = chance.choice(["SIGKILL", "SIGTERM", "closed stdin"])
        self.counts[f"bridge ended by {how}"] += 1
        if how == "closed stdin":
            await client.close()
            return
        with suppress(ProcessLookupError):
            client.process.send_signal(signal.Signals[how])
        with anyio.move_on_after(PATIENCE_SECONDS) as limit:
            await client.process.wait()
        if limit.cancelled_caught:
            self.ledger.fault(f"a bridge has not ended after {how}")

    def _heeding(self, person: str) -> Any:
        def heed(frame: Mapping[str, Any]) -> None:
            if strange := strange_in(frame, person):
                self.ledger.fault(f"{person} is shown words of others: {strange[:3]}")

        return heed
