"""Which models there are, whether a file is one, and the starter model that pip can bring.

Names and folders come in, paths and errors in words go out. Knows nothing of llama-server.
"""
