"""A server on llama-mcp's transport whose tool does all that a tool must not do to stdio.

It shows what the wire is safe from: stray prints, flushed or not, writes to descriptor 1, children
that write to stdout and read stdin. Another tool tells how garbage is collected while it serves.
"""

import gc
import os
import subprocess
import sys

import anyio
from mcp.server.mcpserver import MCPServer

from llama_mcp.surface.stdio.serving import serve_stdio

STRAY = "stray words"


def main() -> None:
    server = MCPServer("stray-writer", log_level="ERROR")

    @server.tool()
    async def misbehave() -> str:
        """Write to stdout in every way there is, and let a child read stdin."""
        print(STRAY, flush=True)
        os.write(1, f"{STRAY}\n".encode())
        sys.__stdout__.write(f"{STRAY}\n")  # type: ignore[union-attr]  # there is a stdout
        child = f"import sys; print({STRAY!r}); sys.exit(len(sys.stdin.read()))"
        done = subprocess.run([sys.executable, "-c", child], check=False)  # noqa: ASYNC221
        print("not flushed", end="")
        return f"the child read {done.returncode} characters"

    @server.tool()
    async def collection() -> str:
        """Tell whether garbage is collected, and whether what start-up made is left out of it."""
        return f"enabled: {gc.isenabled()}, frozen: {gc.get_freeze_count() > 10000}"

    # As cli/serve.py does.
    gc.disable()
    anyio.run(serve_stdio, server, lambda: None)


if __name__ == "__main__":
    main()
