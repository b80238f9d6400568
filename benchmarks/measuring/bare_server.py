"""The baseline that the benchmarks compare with: the SDK's MCPServer with next to nothing on it.

    python benchmarks/measuring/bare_server.py [ours] [burst]

Serves one tool by the SDK's own mcp.run(), with `ours` through llama-mcp's transport instead; with
`burst` a second tool sends as many progress notifications as it is asked for.
"""

import logging
import sys

from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

# As llama-mcp does; else MCPServer() would log every request.
logging.basicConfig(stream=sys.stderr, level=logging.WARNING)


class Status(BaseModel):
    """As much as llama-mcp's status says while nothing runs."""

    state: str = "stopped"
    message: str = "No llama-server is running. start_llama_server starts one."


mcp = MCPServer("bare", log_level="WARNING")


@mcp.tool()
async def status() -> Status:
    """Tell that nothing runs."""
    return Status()


async def burst(ctx: Context, count: int) -> Status:
    """Send that many progress notifications."""
    for number in range(count):
        await ctx.report_progress(number, None, "x")
    return Status()


def main() -> None:
    """Serve in the way that the arguments name."""
    if "burst" in sys.argv:
        mcp.add_tool(burst)
    if "ours" not in sys.argv:
        mcp.run()
        return
    import anyio

    from llama_mcp.surface.stdio.serving import serve_stdio

    anyio.run(serve_stdio, mcp, lambda: None)


if __name__ == "__main__":
    main()
