"""Setting clients up: our entry is put into a client's configuration, and taken out again.

Names of clients come in; their files are changed by one entry and nothing else, and what was done
is told. A file is changed only when llama-mcp was launched as that client launches it and did its
work (`cli/proof/`). The room knows files and programs of clients, and none of llama-server.
"""
