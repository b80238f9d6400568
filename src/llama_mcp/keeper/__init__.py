"""The keeper: a small program that stands between llama-mcp and llama-server and outlives clients.

A run directory comes in, its state.json goes out. Standard library only, and nothing of ours.
"""
