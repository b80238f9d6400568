"""The engine room: one llama-server, found, launched, known to be ready, talked to and stopped.

A LaunchConfig comes in, a ServerStatus goes out. Knows nothing of MCP or of sessions.
"""
