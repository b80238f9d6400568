"""`llama-mcp doctor` with one check, which waits for what never comes, in a thread."""

import sys
import threading
from argparse import Namespace
from collections.abc import Sequence

import anyio.to_thread

from llama_mcp.cli.doctor import command
from llama_mcp.cli.doctor.findings import Check, Circumstances, Finding


async def hang(_: Circumstances) -> Sequence[Finding]:
    await anyio.to_thread.run_sync(threading.Event().wait)
    return []


if __name__ == "__main__":
    setattr(command, "CHECKS", (Check("disk", hang, seconds=0.1),))  # noqa: B010  # it is final
    command.run(Namespace(prove=False, json=False))
    sys.exit("it has waited")
