"""The check of clients: which entries start a llama-mcp, and whether each works as it is launched.

What is known of clients comes from `cli/install/`, the launch from `cli/proof/`; nothing is written.
"""
