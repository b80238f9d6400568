"""The doorbell: the first answers, before the MCP SDK is imported; with the standard library alone.

Lines of stdin come in, and what any client asks first goes out from the catalogue, until something
else is asked. The real server, which is imported then, is told what it has to know (handover.py).
Nothing of ours is known here but the toolsets, and no package: an idle llama-mcp costs little more
than Python.
"""
