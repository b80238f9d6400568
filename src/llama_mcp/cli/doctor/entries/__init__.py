"""The check of clients: which entries start a llama-mcp, and whether each works where it stands.

What is known of clients comes from `cli/install/`, their launches from `cli/proof/`; no file of a
client is written.
"""
