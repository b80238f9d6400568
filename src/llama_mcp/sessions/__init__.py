"""The archive: messages and replies come in, and every word of them can be read again.

archive.py is the way in, records.py is what it returns, and the sqlite room is behind it. It knows
nothing of MCP or of llama-server.
"""
