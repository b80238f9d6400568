"""llama-mcp with engines that it does not start, as they ship: `sh scripts/engines`.

A LiteLLM proxy in front of two llama-servers, and a llama-server behind nothing. Each is used by
the installed llama-mcp, over stdio, and what came of it is printed as a table.
"""
