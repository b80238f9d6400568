"""Which models there are, whether a file is one and fits, and the starter model of pip.

Names, folders and free bytes come in; paths, verdicts and errors in words go out. Knows nothing of
llama-server.
"""
