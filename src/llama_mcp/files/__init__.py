"""Files that a caller names: paths come in, texts and pictures go out, replies are saved.

Everything is synchronous, for threads. Nothing outside the border (`border.py`) is ever opened, and
every file that is not taken is told with the reason. Knows no turn, session, llama-server or MCP.
"""
