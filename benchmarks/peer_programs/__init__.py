"""What somebody would take instead of llama-mcp: fetched, spawned, and asked for one turn.

In comes where llama-server listens; out goes when a turn began, had its first text and was done, as
its caller saw it. Nothing here compares.
"""
