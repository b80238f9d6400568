"""llama-mcp as it is, but for one thing: at SIGUSR1 it writes down how many asyncio tasks it has.

python -m tests.soak.observed FILE
"""

import asyncio
import signal
import sys
from pathlib import Path

from llama_mcp.cli.main import main


def observe(report: Path) -> None:
    def write_down(*_: object) -> None:
        whole = report.with_suffix(".new")
        whole.write_text(str(len(asyncio.all_tasks())))
        whole.replace(report)

    signal.signal(signal.Signals["SIGUSR1"], write_down)


if __name__ == "__main__":
    observe(Path(sys.argv.pop(1)))
    sys.exit(main())
