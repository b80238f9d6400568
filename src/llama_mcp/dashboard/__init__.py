"""The page that shows what llama-mcp is doing: its parts in, one HTML text out.

What serves the page, and what feeds it, is `surface/`. Nothing here knows llama-server or MCP.
"""
