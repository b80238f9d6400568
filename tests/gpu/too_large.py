"""A start that the GPU has no room for: the note, the failure, and a window that fits."""

from pathlib import Path

from tests.gpu import card
from tests.gpu.stage import LONG_MESSAGE, Stage, load_log, mib, row_of, try_to_start

CTX_SIZE = 131072
# What 131,072 tokens of an 8B model take.
_WINDOW_BYTES = 2**34
_TOO_SMALL = "the GPU's memory (CUDA or ROCm) is too small"


async def too_large(stage: Stage, model: Path) -> None:
    """Ask for more windows than the GPU holds, then for what llama-mcp says would fit."""
    report = stage.report
    parallel = card.free_bytes() // _WINDOW_BYTES + 2
    settings = {"CTX_SIZE": str(CTX_SIZE), "PARALLEL": str(parallel)}
    async with stage.client(N_GPU_LAYERS="-1", **settings) as client:
        await row_of(client, model)
        row = await row_of(client, model)  # now of NVML, where the first was of the engine
        what = f"{CTX_SIZE} x {parallel}, all layers"
        report.check(row["fits"] == "no", f"{what}: fits", "no", row["fits"])
        is_ready, told = await try_to_start(client, model)
        report.check(not is_ready, f"{what}: starts", "an error", "ready" if is_ready else "error")
        report.check(_TOO_SMALL in told, f"{what}: cause", _TOO_SMALL, told.replace("\n", " | "))
        fitting = row["max_ctx_size"]
        report.check(bool(fitting), f"{what}: max_ctx_size", "a window", fitting)
        if fitting:
            is_ready, told = await try_to_start(client, model, ctx_size=fitting)
            what = f"{fitting} x {parallel}, all layers"
            report.check(is_ready, what, "ready", told.splitlines()[0])
            report.figure("left free of the GPU", mib(card.free_bytes()))
            reply = await client.call("chat", message=LONG_MESSAGE, max_tokens=64, wait_seconds=100)
            report.check(reply["status"] == "complete", "a turn there", "complete", reply["status"])
    async with stage.client(**settings) as client:
        row = await row_of(client, model)
        what = f"{CTX_SIZE} x {parallel}, automatic"
        if row["fits"] == "no":
            report.figure(what, "left out: RAM is too small for the rest")
            return
        report.check(row["fits"] == "partly_gpu", f"{what}: fits", "partly_gpu", row["fits"])
        is_ready, told = await try_to_start(client, model)
        log = await load_log(client)
        report.check(is_ready, what, "ready", told.splitlines()[0])
        report.figure(f"{what}: layers", f"{log.layers_on_gpu} of {log.layers}; {log}")
