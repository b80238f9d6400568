"""One llama-server: found, launched, known to be ready, talked to and stopped.

What a call asks of a start comes in; a ServerStatus and, for a turn, a ReadyServer go out. Knows
nothing of MCP or of sessions.
"""
