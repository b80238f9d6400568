"""Many clients of several people at one server over HTTP: does anybody see what is another's?

`sh scripts/soak-http [MINUTES]` runs it, ten minutes when nothing is said. Each client has a bridge
of its own, `llama-mcp connect`. Bridges are killed, which to the server is a dropped connection,
and so is the server, which is then started again: `load.py`. `prying.py` tries what belongs to
others, and `aftermath.py` looks at what is left.
"""
