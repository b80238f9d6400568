"""Layers go where n_gpu_layers says, and figures of memory are the card's own."""

from pathlib import Path

import psutil

from tests.gpu import card
from tests.gpu.stage import Stage, load_log, mib, row_of, start

# In pages, and between two looks.
_TOLERANCE_BYTES = 8 * card.MIB


async def layers(stage: Stage, model: Path) -> None:
    """Start the model with all, none, some and as many layers on the GPU as fit."""
    report = stage.report
    async with stage.client() as client:
        row = await row_of(client, model)
        report.check(row.get("fits") == "gpu", "list_models: fits", "gpu", row.get("fits"))
        for asked in (None, -1, 0, 8):
            given = {} if asked is None else {"n_gpu_layers": asked}
            status = await start(client, model, ctx_size=4096, parallel=1, **given)
            config = await client.call("get_config")
            log = await load_log(client)
            all_layers = log.layers or 0
            wanted = all_layers if asked in (None, -1) else min(int(asked or 0), all_layers)
            on_gpu = log.layers_on_gpu
            what = f"n_gpu_layers={'automatic' if asked is None else asked}"
            report.check(on_gpu == wanted, what, f"{wanted} of {log.layers} layers", on_gpu)
            report.figure(f"{what}: ready after", f"{status['ready_after_seconds']:.1f} s")
            notes = status.get("notes") or [], config.get("notes") or []
            report.check(not any(notes), f"{what}: notes", "none", notes)
            figures = await client.call("server_metrics")
            told = sum(gpu["used_bytes"] for gpu in figures.get("gpu_memory", []))
            seen = card.used_by([status["pid"]])
            is_same = abs(told - seen) <= _TOLERANCE_BYTES
            report.check(is_same, f"{what}: gpu_memory", mib(seen), mib(told))
            report.figure(f"{what}: buffers", log)
            resident = psutil.Process(status["pid"]).memory_info().rss
            told = (await client.call("status"))["memory_bytes"]
            is_same = abs(told - resident) <= _TOLERANCE_BYTES
            report.check(is_same, f"{what}: memory_bytes", mib(resident), mib(told))
