"""SIGKILL at random moments: nothing is left, the next start works, and nobody else is touched."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from tests.fake_llama_server.install import install_fake
from tests.fake_llama_server.running import Server, ready
from tests.faults.victims import find, is_alive, process, start_model, until_nothing_is_left
from tests.support.client_process import LlamaMCP
from tests.support.processes import until
from tests.support.quick import often
from tests.support.raw_client import RawClient, raw_client

# As many in each lane and request.
KILLS = often(2, in_a_soak=9)
REQUESTS: dict[str, tuple[str, dict[str, object]]] = {
    "start": ("start_llama_server", {}),
    "chat": ("chat", {"message": "Go on and on", "max_tokens": 500}),
    "stop": ("stop_llama_server", {"force": True}),
}
# About as long as each takes: from the request, or from the victim's birth when that comes later.
LONGEST_DELAY = {"start": 0.35, "chat": 0.4, "stop": 0.15}


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[Server]:
    """A llama-server that somebody else has started."""
    with ready(install_fake(tmp_path / "bystander")) as server:
        yield server


@dataclass
class Lane:
    """One home, in which one victim after the other is killed."""

    llama_mcp: LlamaMCP
    victim: str
    chance: random.Random
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REQUESTS, 0))

    @property
    def phases(self) -> list[str]:
        """The requests in which there are still victims to kill."""
        return [phase for phase, kills in self.kills.items() if kills < KILLS]

    async def kill(self) -> None:
        while self.phases:
            async with raw_client(self.llama_mcp) as client:
                await client.hello()
                await until_nothing_is_left(self.llama_mcp.home)
                while self.phases and client.process.returncode is None:
                    await self.kill_one(client)
        async with raw_client(self.llama_mcp) as client:
            await client.hello()
            await until_nothing_is_left(self.llama_mcp.home)
            await start_model(client)
        await until_nothing_is_left(self.llama_mcp.home)

    async def kill_one(self, client: RawClient) -> None:
        phase = self.chance.choice(self.phases)
        # More often early: some of these take much less.
        delay_seconds = LONGEST_DELAY[phase] * self.chance.random() ** 2
        print(f"{self.llama_mcp.home.name}: {self.victim} in {phase} after {delay_seconds:.3f} s")
        # What the kill before this one has left is no obstacle.
        await start_model(client)
        llama_mcp = process(client.process.pid)
        victim = await find(self.victim, llama_mcp)
        if phase == "start":
            await client.call("stop_llama_server", force=True)
        name, arguments = REQUESTS[phase]
        request = await client.ask("tools/call", name=name, arguments=arguments)
        if phase == "start" and self.victim != "llama-mcp":
            victim = await find(self.victim, llama_mcp, but=victim)
        await anyio.sleep(delay_seconds)  # the random moment
        family = [victim, *victim.children()]
        self.kills[phase] += victim.kill()
        if self.victim == "llama-mcp":
            await client.exit_code()
        else:
            await client.answer(request)
            await until(lambda: not any(map(is_alive, family)), "the victim and its child end")
            await self.see_what_is_left(client)

    async def see_what_is_left(self, client: RawClient) -> None:
        """Nothing, unless a chat has rightly started it again."""
        state = (await client.call("status"))["structuredContent"]["state"]
        if state in ("ready", "unresponsive"):  # a busy machine may be slow to say that it is
            stopped = await client.call("stop_llama_server", force=True)
            state = stopped["structuredContent"]["state"]
        assert state in ("stopped", "crashed")
        await until_nothing_is_left(self.llama_mcp.home)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("victim", ["llama-mcp", "guard", "keeper", "llama-server"])
async def test_kills_at_any_moment_leave_nothing_behind_and_never_hinder_the_next_start(
    llama_mcp: LlamaMCP, victim: str, tmp_path: Path, bystander: Server
) -> None:
    fake = install_fake(tmp_path / "fake", reply="on and " * 40, token_delay_seconds=0.01)
    lanes = []
    for name, engine in (("embedded", "embedded"), ("fake", str(fake))):
        having = LlamaMCP(tmp_path / f"home-{name}", llama_mcp.variables).having(
            LLAMA_CPP_PATH=engine, PARALLEL="1"
        )
        lanes.append(Lane(having, victim, random.Random(f"{victim} {name}")))
    async with anyio.create_task_group() as tasks:
        for lane in lanes:
            tasks.start_soon(lane.kill)
    assert bystander.health() == 200
