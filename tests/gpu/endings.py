"""What llama-server had of the GPU is free again after a kill and after a stop."""

from pathlib import Path

import psutil

from llama_mcp.llama_server.engine.nvml import load_nvml
from tests.gpu import card
from tests.gpu.stage import NOISE_BYTES, Stage, mib, start


async def endings(stage: Stage, model: Path) -> None:
    """Kill it, chat again, stop it; measure how long memory takes to be free."""
    report, before = stage.report, _used_bytes()
    async with stage.client() as client:
        status = await start(client, model)
        in_use = _used_bytes() - before
        report.check(in_use > NOISE_BYTES, "while it runs", "memory in use", mib(in_use))
        psutil.Process(status["pid"]).kill()
        took = await stage.seconds_until(lambda: _used_bytes() <= before + NOISE_BYTES)
        report.check(took is not None, "SIGKILL: memory comes back", "all", _after(took))
        crashed = await client.call("status")
        is_told = crashed["state"] == "crashed" and "SIGKILL" in crashed["message"]
        report.check(is_told, "SIGKILL: status", "crashed (SIGKILL)", crashed["message"])
        reply = await client.call("chat", message="Hello", max_tokens=8, wait_seconds=100)
        report.check(reply["status"] == "complete", "the next chat", "complete", reply["status"])
        in_use = _used_bytes() - before
        report.check(in_use > NOISE_BYTES, "while it runs again", "memory in use", mib(in_use))
        again = (await client.call("status"))["pid"]
        await client.call("stop_llama_server")
        took = await stage.seconds_until(lambda: _used_bytes() <= before + NOISE_BYTES)
        report.check(took is not None, "stop: memory is free", "all", _after(took))
        left = card.used_by([status["pid"], again])
        report.check(not left, "nvidia-smi names neither", mib(0), mib(left))


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.2f} s"


def _used_bytes() -> int:
    """Ask NVML, which answers in milliseconds; nvidia-smi takes as long as a process to start."""
    nvml = load_nvml()
    if nvml is None:
        return card.used_bytes()
    return int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByIndex(0)).used)
