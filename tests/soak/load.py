"""The load: sessions of clients that stay, clients that are killed, and accidents."""

import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc

from llama_mcp.keeper import identity
from llama_mcp.llama_server.runs.records import ProcessRecord
from llama_mcp.llama_server.runs.run import current_run
from tests.soak.client import Era, GoneError, HangError, SoakClient, soak_client
from tests.soak.ledger import Ledger
from tests.soak.measuring import Sample, take_sample
from tests.soak.talker import Talker
from tests.support.client_process import COMMAND

CHECKOUT = Path(__file__).parents[2]
# What a client asks to be told of.
URIS = ["llama://sessions", "llama://server/status", "llama://server/metrics"]
# From the last answer to a process at rest: replies that were taken back end, files are closed.
SETTLE_SECONDS = 1.5


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    seconds: float
    steady_clients: int = 4
    sessions_each: int = 7
    mortal_clients: int = 2
    mortal_sessions: int = 2
    pause_seconds: float = 0.5
    accident_seconds: float = 8.0
    rest_seconds: float = 60.0
    seed: int = 1

    @property
    def sessions(self) -> int:
        return self.steady_clients * self.sessions_each + self.mortal_clients * self.mortal_sessions


class Gate:
    """Lets everybody work, until somebody wants to see the processes at rest."""

    def __init__(self) -> None:
        self._changed = anyio.Condition()
        self._inside = 0
        self._is_open = True

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        async with self._changed:
            while not self._is_open:
                await self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self._inside -= 1
                    self._changed.notify_all()

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[None]:
        async with self._changed:
            self._is_open = False
            while self._inside:
                await self._changed.wait()
        await anyio.sleep(SETTLE_SECONDS)
        yield
        async with self._changed:
            self._is_open = True
            self._changed.notify_all()


@dataclass
class Soak:
    """A run: its folder, what was done, and what was measured."""

    folder: Path
    model: Path
    plan: Plan
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    frames: int = 0

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.stderr = self.folder / "stderr.log"
        self._random = random.Random(self.plan.seed)
        self._gate = Gate()
        self._steady: dict[str, SoakClient] = {}
        self._is_over = False

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            "HOME": self.home,
            "LLAMA_CPP_PATH": "embedded",
            "MODEL_PATH": self.model,
            "PORT": 0,
            "CTX_SIZE": 2048,
            "EXTRA_ARGS": "-t 1",
            "LINGER_SECONDS": 1,
            # Replies of processes that were killed are over by the end.
            "FINISH_SECONDS": 20,
        }
        named = {f"LLAMA_MCP_{name}": str(value) for name, value in settings.items()}
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **named}

    async def run(self) -> None:
        """Put everything under load for so long as the plan says, then close every client."""
        async with AsyncExitStack() as stack:
            for number in range(self.plan.steady_clients):
                name = f"steady{number}"
                argv = [sys.executable, "-m", "tests.soak.observed", str(self._report(name))]
                python_path = {"PYTHONPATH": str(CHECKOUT)}
                self._steady[name] = await stack.enter_async_context(
                    soak_client(argv, self.environment | python_path, era(number), self.stderr)
                )
                await self._begin(self._steady[name])
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end_in_time)
                tasks.start_soon(self._rest_now_and_then)
                tasks.start_soon(self._have_accidents)
                for name, client in self._steady.items():
                    for number in range(self.plan.sessions_each):
                        tasks.start_soon(self._talk, f"{name}x{number}", client)
                for number in range(self.plan.mortal_clients):
                    tasks.start_soon(self._live_and_die, f"mortal{number}", number)
            await self._sample()
            for name, client in self._steady.items():
                await client.close()
                self._account_for(name, client, may_be_killed=False)

    def _report(self, name: str) -> Path:
        return self.folder / f"{name}.tasks"

    async def _begin(self, client: SoakClient) -> None:
        await client.hello()
        await client.subscribe(URIS)
        started = await client.call("start_llama_server")
        self.counts["starts"] += not started.is_error

    async def _end_in_time(self) -> None:
        await anyio.sleep(self.plan.seconds)
        self._is_over = True

    async def _talk(self, owner: str, client: SoakClient) -> None:
        """Take one step after another until the end; of a steady client nothing may break off."""
        talker = Talker(owner, self.ledger, self.counts, self.plan.seed)
        try:
            await self._take_steps(talker, client)
        except GoneError:
            self.ledger.fault(f"{owner}: its llama-mcp has ended")

    async def _take_steps(self, talker: Talker, client: SoakClient) -> None:
        pauses = random.Random(talker.owner)
        while not self._is_over and not client.is_gone:
            async with self._gate.work():
                try:
                    await talker.step(client)
                except HangError as error:
                    self.ledger.fault(f"{talker.owner}: {error}")
                    return
            await anyio.sleep(pauses.uniform(0, 2 * self.plan.pause_seconds))

    async def _live_and_die(self, name: str, number: int) -> None:
        """Run one llama-mcp after another; each ends in the middle of something, in some way."""
        life = 0
        while not self._is_over:
            life += 1
            client_of = soak_client([COMMAND], self.environment, era(life), self.stderr)
            try:
                async with client_of as client:
                    await self._begin(client)
                    async with anyio.create_task_group() as tasks:
                        for session in range(self.plan.mortal_sessions):
                            owner = f"{name}x{session}x{life}"
                            tasks.start_soon(self._talk_until_dead, owner, client)
                        await anyio.sleep(self._random.uniform(1, 2 * self.plan.accident_seconds))
                        await self._end_one(client)
                    self._account_for(name, client, may_be_killed=True)
            except* GoneError:
                self.counts["llama-mcp gone before its time"] += 1

    async def _talk_until_dead(self, owner: str, client: SoakClient) -> None:
        talker = Talker(owner, self.ledger, self.counts, self.plan.seed)
        try:
            await self._take_steps(talker, client)
        except GoneError:
            return

    async def _end_one(self, client: SoakClient) -> None:
        how = self._random.choice(["SIGKILL", "SIGTERM", "SIGINT", "closed stdin"])
        self.counts[f"llama-mcp ended by {how}"] += 1
        if how == "closed stdin":
            await client.close()
        elif not client.is_gone:
            client.process.send_signal(signal.Signals[how])
        with anyio.move_on_after(30) as limit:
            await client.process.wait()
        if limit.cancelled_caught:
            self.ledger.fault(f"a llama-mcp has not ended after {how}")

    async def _have_accidents(self) -> None:
        while not self._is_over:
            await anyio.sleep(self._random.uniform(0.5, 1.5) * self.plan.accident_seconds)
            async with self._gate.work():
                await self._have_one()

    async def _have_one(self) -> None:
        client = self._random.choice(list(self._steady.values()))
        what = self._random.choice(["llama-server", "keeper", "stop", "forced stop", "start"])
        if what == "start":
            await client.call("start_llama_server")
        elif "stop" in what:
            stopped = await client.call("stop_llama_server", force=what == "forced stop")
            self.counts["stops"] += not stopped.is_error
        elif (victim := self._find(what)) is not None:
            number = signal.Signals["SIGKILL"]
            killed = identity.signal_same_process(victim.pid, victim.start, number)
            self.counts[f"{what} killed"] += killed

    def _find(self, what: str) -> ProcessRecord | None:
        run = current_run(self.home / "runs")
        state = run.state() if run else None
        if state is None:
            return None
        return state.keeper if what == "keeper" else state.llama_server

    async def _rest_now_and_then(self) -> None:
        """Measure every steady process when nobody works; the first time when all is warm."""
        while not self._is_over:
            with anyio.move_on_after(self.plan.rest_seconds):
                while not self._is_over:
                    await anyio.sleep(0.1)
            if not self._is_over:
                async with self._gate.rest():
                    await self._sample()

    async def _sample(self) -> None:
        if self._is_over:
            await anyio.sleep(SETTLE_SECONDS)
        for name, client in self._steady.items():
            sample = await take_sample(client.process.pid, self._report(name))
            self.samples.setdefault(name, []).append(sample)

    def _account_for(self, name: str, client: SoakClient, *, may_be_killed: bool) -> None:
        self.frames += client.wire.frames
        self.counts["changes told"] += client.changes_told
        for violation in client.wire.violations:
            self.ledger.fault(f"{name}: {violation[:500]}")
        code = client.process.returncode
        if code != 0 and not (may_be_killed and code == -signal.Signals["SIGKILL"]):
            self.ledger.fault(f"{name} ended with {code}")


def era(number: int) -> Era:
    return "modern" if number % 2 else "legacy"
