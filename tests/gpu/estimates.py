"""What llama-mcp says that a model needs, against what it takes of the GPU."""

from pathlib import Path

from tests.gpu import card
from tests.gpu.stage import LONG_MESSAGE, TELLING, Stage, load_log, mib, row_of, start, try_to_start

# As settings: window, conversations, and further flags.
Start = tuple[int, int, str]
STARTS: tuple[Start, ...] = (
    (4096, 4, ""),
    (32768, 4, ""),
    (131072, 1, "-ctk q8_0 -ctv q8_0"),
    (131072, 1, "-ctk q4_0 -ctv q4_0"),
    (8192, 4, "-fa off"),
    (8192, 4, "-ub 2048"),
)
USUAL = STARTS[:1]
# Less: a model with one table for both ends has it in RAM too, mapped from its file. More: on other
# cards the driver may keep less for a program than on the one where that was measured.
_LEAST, _MOST = -0.06, 0.12


async def estimates(stage: Stage, models: dict[Path, tuple[Start, ...]]) -> None:
    """Compare for every model and start; nothing is asked of the models."""
    for model, starts in models.items():
        for ctx_size, parallel, flags in starts:
            await _compare(stage, model, ctx_size, parallel, flags)


async def growth(stage: Stage, model: Path) -> None:
    """Measure what a long message adds to what is taken once a model is ready."""
    async with stage.client() as client:
        status = await start(client, model, ctx_size=8192, parallel=2)
        before = card.used_by([status["pid"]])
        reply = await client.call("chat", message=LONG_MESSAGE, max_tokens=64, wait_seconds=100)
        grown = card.used_by([status["pid"]]) - before
        stage.report.figure(
            "a turn grows what is taken by",
            f"{mib(grown)} ({reply['usage']['prompt_tokens']} tokens in one prompt)",
        )


async def _compare(stage: Stage, model: Path, ctx_size: int, parallel: int, flags: str) -> None:
    settings = {"CTX_SIZE": str(ctx_size), "PARALLEL": str(parallel)}
    what = f"{model.stem}, {ctx_size} x {parallel} {flags}".strip()
    async with stage.client(EXTRA_ARGS=f"{TELLING} {flags}", **settings) as client:
        row = await row_of(client, model)
        if row["fits"] != "gpu":
            stage.report.figure(what, f"left out: {row['fits']}")
            return
        is_ready, told = await try_to_start(client, model)
        stage.report.check(is_ready, f"{what}: starts", "ready", told.splitlines()[0])
        if not is_ready:
            return
        status = await client.call("status")
        log = await load_log(client)
        on_gpu, needed = card.used_by([status["pid"]]), row["needs_bytes"]
        taken = on_gpu + log.everywhere - log.on_gpu
        share = needed / taken - 1
        stage.report.check(
            on_gpu > log.on_gpu and _LEAST <= share <= _MOST,
            f"{what}: needs_bytes",
            f"{mib(taken)}, {mib(on_gpu)} of that on the GPU",
            f"{mib(needed)} ({share:+.1%})",
        )
        stage.report.figure(
            f"{what}: on the GPU",
            f"buffers {mib(log.on_gpu)}, driver and libraries {mib(on_gpu - log.on_gpu)}; {log}",
        )
