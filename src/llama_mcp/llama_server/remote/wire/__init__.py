"""HTTP to an engine that somebody else runs, and what its answers mean.

A URL, a key file and a request come in; JSON, chunks in llama-server's shape or an error go out.
Knows nothing of what the engine is, and no turn.
"""
