"""Two llama-servers on one GPU: each is told its own memory, and the second what is left."""

from pathlib import Path

from tests.gpu import card
from tests.gpu.stage import NOISE_BYTES, Stage, mib, row_of, start


async def together(stage: Stage, first: Path, second: Path) -> None:
    """Start one model in each of two homes."""
    report, before = stage.report, card.used_bytes()
    async with stage.client("first") as one, stage.client("second") as other:
        alone = await row_of(other, second)
        pid = (await start(one, first))["pid"]
        beside = await row_of(other, second)
        first_takes = card.used_by([pid])
        less = alone["available_bytes"] - beside["available_bytes"]
        report.figure("available_bytes falls by", f"{mib(less)}, GPU {mib(first_takes)}")
        other_pid = (await start(other, second))["pid"]
        takes = [first_takes, card.used_by([other_pid])]
        for client, name, seen in ((one, first.stem, takes[0]), (other, second.stem, takes[1])):
            figures = await client.call("server_metrics")
            told = sum(gpu["used_bytes"] for gpu in figures.get("gpu_memory", []))
            is_its_own = abs(told - seen) <= NOISE_BYTES
            report.check(is_its_own, f"gpu_memory of {name}", mib(seen), mib(told))
        both = card.used_bytes() - before
        is_sum = abs(both - sum(takes)) <= NOISE_BYTES
        report.check(is_sum, "both together", mib(sum(takes)), mib(both))
