"""Agents built on frameworks, as a user writes them who has read the framework's page on MCP.

Each is a program that runs in an environment of its own, with the framework and nothing of ours:

    python AGENT.py ENTRY MODEL_URL QUESTION

ENTRY is a file with a client's entry as in examples/claude_config.json; MODEL_URL is where the
scripted model answers. The agent prints what the model says last.
"""
