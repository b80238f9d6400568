"""The archive: messages and replies come in, and every word of them can be had again.

Come in through archive.py; what it gives is in records.py. The sqlite room is behind it. Knows
nothing of MCP or of llama-server.
"""
