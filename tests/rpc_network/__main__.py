"""Plays each fault of an RPC worker over a network and says what was seen; see __init__.py.

python -m tests.rpc_network LLAMA_CPP
"""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from llama_mcp.models.starter_model import starter_model_path
from tests.rpc_network.network import NotAllowedError, Place, places
from tests.rpc_network.relay import relay
from tests.support.client_process import Connection, LlamaMCP
from tests.support.rpc_workers import Worker
from tests.support.tiny_model import write_tiny_model

UNTRIED = 77
PORT = 50052
MOST_SECONDS = 5.0  # within which a start has to say what is wrong with a worker
_FAILED: list[str] = []


def main() -> int:
    """Play all; return 0, 1 when something was not as expected, and 77 when nothing was tried."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    try:
        with places(2) as both, tempfile.TemporaryDirectory(prefix="llama-mcp-rpc-") as folder:
            anyio.run(_play_all, Path(sys.argv[1]).resolve(), Path(folder), both)
    except NotAllowedError as error:
        print(f"Nothing was tried: networks cannot be made here. {error}")
        return UNTRIED
    print(f"\n{len(_FAILED)} failed: {', '.join(_FAILED)}" if _FAILED else "\nok")
    return 1 if _FAILED else 0


def check(is_so: object, what: str, seen: object) -> None:
    """Print what was seen, and keep what is not as it should be."""
    print(f"  {'ok  ' if is_so else 'FAIL'} {what}: {str(seen)[:400]}", flush=True)
    if not is_so:
        _FAILED.append(what)


class Stage:
    """Two workers in places of their own, and llama-mcp that has them in its settings."""

    def __init__(self, llama_cpp: Path, folder: Path, both: list[Place]) -> None:
        self.places = both
        self.workers = [Worker(llama_cpp, place.host, PORT, place.inside) for place in both]
        model = starter_model_path() or write_tiny_model(folder / "tiny.gguf")
        print(f"{model.name}, workers at {', '.join(w.address for w in self.workers)}")
        self.llama_mcp = LlamaMCP(
            home=folder / "home",
            variables={
                "LLAMA_MCP_LLAMA_CPP_PATH": str(llama_cpp),
                "LLAMA_MCP_MODEL_PATH": str(model),
                "LLAMA_MCP_PORT": "0",
                "LLAMA_MCP_CTX_SIZE": "4096",
                "LLAMA_MCP_PARALLEL": "1",
                "LLAMA_MCP_UNRESPONSIVE_SECONDS": "4",
                "LLAMA_MCP_KV_DISK_MB": "0",
                "LLAMA_MCP_RPC_SERVERS": ",".join(w.address for w in self.workers),
            },
        )

    async def begin_reply(self, client: Connection) -> str:
        """Return the session of a reply that grows."""
        part = await client.call(
            "chat", message="Tell a long story", max_tokens=3000, wait_seconds=0
        )
        session: str = part["session_id"]
        await client.call_until(
            lambda page: bool(page["turns"][-1]["reply"]), "read_session", session_id=session
        )
        return session


async def _play_all(llama_cpp: Path, folder: Path, both: list[Place]) -> None:
    stage = Stage(llama_cpp, folder, both)
    shows: list[tuple[str, Callable[[Stage, Connection], Awaitable[None]]]] = [
        ("as it should be", healthy),
        ("frozen at a start", frozen_at_start),
        ("frozen in mid-reply", frozen_in_reply),
        ("killed in mid-reply", killed_in_reply),
        ("unplugged", unplugged),
        ("100 Mbit/s", narrow),
        ("far away", far_away),
        ("a tunnel that ends nowhere", tunnel_to_nowhere),
    ]
    for name, show in shows:
        print(name)
        try:
            for worker in stage.workers:
                await worker.start()
            async with stage.llama_mcp.connect() as client:
                await show(stage, client)
                await client.result("stop_llama_server", force=True)
        finally:
            for worker, place in zip(stage.workers, stage.places, strict=True):
                worker.end()
                place.plug()
                place.unshape()


async def healthy(stage: Stage, client: Connection) -> None:
    status = await _start(client)
    reached = [worker["reachable"] for worker in status["workers"]]
    check(reached == [True, True], "both workers are reachable", status["workers"])
    await _speed(client, "speed")


async def frozen_at_start(stage: Stage, client: Connection) -> None:
    await _start(client)  # what a process does only once is not what is measured
    await client.result("stop_llama_server", force=True)
    stage.workers[0].freeze()
    error, seconds = await _refused(client)
    is_told = f"{stage.workers[0].address}: it accepts connections and does not answer" in error
    check(is_told and seconds < MOST_SECONDS, f"named within {seconds:.1f} s", error)
    stage.workers[0].thaw()
    status = await _start(client)
    check(status["state"] == "ready", "used again once it is thawed", status["message"])


async def frozen_in_reply(stage: Stage, client: Connection) -> None:
    await _start(client)
    session = await stage.begin_reply(client)
    stage.workers[1].freeze()
    error = await _broken_off(client, session)
    check(f"waits for its RPC worker {stage.workers[1].address}" in error, "named", error)
    stage.workers[1].thaw()
    reply = await client.call("chat", message="Hello", max_tokens=5)
    check(reply["status"] == "complete", "goes on once it is thawed", reply["status"])


async def killed_in_reply(stage: Stage, client: Connection) -> None:
    await _start(client)
    session = await stage.begin_reply(client)
    stage.workers[0].end()
    error = await _broken_off(client, session)
    check(f"went away: {stage.workers[0].address}" in error, "named", error)
    turn = (await client.call("read_session", session_id=session))["turns"][-1]
    check(turn["reply"], "the part that had come is kept", f"{len(turn['reply'])} characters")
    missing = await client.refusal("chat", message="Hello")
    check(f"{stage.workers[0].address}: nothing listens" in missing, "missing afterwards", missing)
    await stage.workers[0].start()
    reply = await client.call("chat", message="Hello", max_tokens=5)
    check(reply["status"] == "complete", "used again once it is back", reply["notes"])


async def unplugged(stage: Stage, client: Connection) -> None:
    await _start(client)
    session = await stage.begin_reply(client)
    stage.places[1].unplug()
    error = await _broken_off(client, session)
    is_told = f"waits for its RPC worker {stage.workers[1].address}: what is sent" in error
    check(is_told, "named", error)
    await client.result("stop_llama_server", force=True)
    error, seconds = await _refused(client)
    is_told = stage.workers[1].address in error and stage.workers[0].address + ":" not in error
    check(is_told and seconds < MOST_SECONDS, f"a start names it within {seconds:.1f} s", error)


async def narrow(stage: Stage, client: Connection) -> None:
    for place in stage.places:
        if not place.shape("tbf", "rate", "100mbit", "burst", "64kb", "latency", "200ms"):
            print("  not tried: this kernel has no tbf")
            return
    status = await _start(client)
    print(f"  ready after {status['ready_after_seconds']:.1f} s")
    await _speed(client, "speed")


async def far_away(stage: Stage, client: Connection) -> None:
    if all(place.shape("netem", "delay", "12ms") for place in stage.places):
        await _slow(client)
        return
    print("  this kernel has no netem: a relay that passes bytes on late takes its place")
    hosts = [(place.host, PORT) for place in stage.places]
    async with relay(*hosts[0], 0.012) as first, relay(*hosts[1], 0.012) as second:
        addresses = f"{first},{second}"
        async with stage.llama_mcp.having(RPC_SERVERS=addresses).connect() as other:
            await _slow(other)
            await other.result("stop_llama_server", force=True)


async def _slow(client: Connection) -> None:
    status = await _start(client)
    notes = status.get("notes") or []
    check(any("The round trip to the RPC worker" in note for note in notes), "advice", notes)
    trips = [worker["round_trip_ms"] for worker in status["workers"]]
    check(min(trips) >= 20, "round trips", trips)
    await _speed(client, "speed")


async def tunnel_to_nowhere(stage: Stage, client: Connection) -> None:
    stage.workers[0].end()
    async with (
        relay(stage.places[0].host, PORT, 0.0) as address,
        stage.llama_mcp.having(RPC_SERVERS=address).connect() as other,
    ):
        await _refused(other)
        error, seconds = await _refused(other)
    check(address in error and seconds < MOST_SECONDS, f"named within {seconds:.1f} s", error)


async def _start(client: Connection) -> dict[str, Any]:
    return await client.call("start_llama_server", wait_seconds=300)


async def _refused(client: Connection) -> tuple[str, float]:
    began = time.monotonic()
    error = await client.refusal("start_llama_server")
    return error, time.monotonic() - began


async def _broken_off(client: Connection, session: str) -> str:
    began = time.monotonic()
    while True:
        result = await client.result("wait_for_reply", session_id=session)
        text = "\n".join(getattr(each, "text", "") for each in result.content)
        if result.is_error:
            return f"[after {time.monotonic() - began:.1f} s] {text}"
        status = (result.structured_content or {}).get("status")
        if status != "in_progress":
            return f"the reply did not break off: {status}"


async def _speed(client: Connection, what: str) -> None:
    receipt = {}
    with suppress(KeyError):
        receipt = await client.receipt(
            "chat", message="Count to a hundred", max_tokens=60, wait_seconds=120
        )
    timing = receipt.get("timing") or receipt
    check(timing, what, timing)


if __name__ == "__main__":
    sys.exit(main())
