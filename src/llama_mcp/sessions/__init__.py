"""The archive: messages and replies come in, and every word of them can be had again.

SQLite behind plain records. Knows nothing of MCP or of llama-server.
"""
