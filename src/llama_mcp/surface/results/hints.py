"""What to call next, at the end of a note: only tools that the operator offers are named."""

from collections.abc import Collection

from llama_mcp.toolsets import TOOLS

Offered = Collection[str]
"""The names of the tools that clients are offered."""
EVERY_TOOL: Offered = TOOLS


def hint(tool: str, gives: str, offered: Offered, before: str = "; ") -> str:
    """Return what a tool gives, as the end of a sentence; empty when the tool is not offered."""
    return f"{before}{tool} {gives}" if tool in offered else ""
