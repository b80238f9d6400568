"""Fetching a model from the Hugging Face hub: the only room that speaks to the world.

A name comes in, files in the shared Hugging Face cache and what was done in words go out. The work
is done by a program of its own (`__main__.py`), which outlives whoever asked for it; what it was
asked, how far it is and how it ended are files in a folder (`records.py`). Knows nothing of
llama-server and of MCP.
"""
