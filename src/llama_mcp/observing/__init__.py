"""What is going on, put together for any door: figures, slots, statistics of turns.

The rooms' own figures come in, one report goes out. Knows nothing of MCP.
"""
