"""A server of the plain MCP SDK over Streamable HTTP, for the bridge to be tried against.

    python plain_server_program.py PORT [MARKS]

It prints a line once it serves. In the folder MARKS the tool `wait` leaves a file when it begins,
and another when it is cancelled.
"""

import logging
import socket
import sys
from pathlib import Path

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("plain")


@server.tool()
async def add(a: int, b: int) -> int:
    return a + b


@server.tool()
async def echo(text: str) -> str:
    return text


@server.tool()
async def count(to: int, ctx: Context) -> str:
    for step in range(1, to + 1):
        await ctx.report_progress(step, to, f"step {step}")
    return "counted"


@server.tool()
async def wait(name: str, ctx: Context) -> str:
    marks = Path(sys.argv[2])
    await ctx.report_progress(1, 2, "waiting")
    (marks / f"{name}.begun").touch()
    try:
        await anyio.sleep_forever()
    finally:
        (marks / f"{name}.cancelled").touch()
    return "never"


@server.tool()
async def roots(ctx: Context) -> list[str]:
    found = await ctx.session.list_roots()
    return [str(root.uri) for root in found.roots]


@server.tool()
async def announce(ctx: Context) -> str:
    await ctx.session.send_tool_list_changed()
    return "announced"


def main() -> None:
    logging.basicConfig(level=logging.CRITICAL)
    app = server.streamable_http_app(max_request_body_size=64 * 1024 * 1024)
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        print("serves", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
