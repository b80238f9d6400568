"""llama-mcp as it is, but for one thing: at SIGUSR1 it writes down how many asyncio tasks it has.

Beside it stands how many threads wait for the next work of AnyIO's.

    python -m tests.soak.observed FILE
"""

import asyncio
import signal
import sys
import threading
from pathlib import Path

from llama_mcp.cli.main import main

WORKER = "AnyIO worker thread"


def observe(report: Path) -> None:
    def write_down(*_: object) -> None:
        whole = report.with_suffix(".new")
        workers = [thread for thread in threading.enumerate() if thread.name == WORKER]
        whole.write_text(f"{len(asyncio.all_tasks())} {len(workers)}")
        whole.replace(report)

    signal.signal(signal.Signals["SIGUSR1"], write_down)


if __name__ == "__main__":
    observe(Path(sys.argv.pop(1)))
    sys.exit(main())
