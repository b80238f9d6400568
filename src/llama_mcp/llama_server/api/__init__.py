"""Everything that goes over HTTP to one llama-server.

A url and a request come in; JSON, chunks of a stream or an error of ours go out. Knows no run and
no process.
"""
