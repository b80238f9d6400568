"""Whether a client gets on with llama-mcp: launched as that client launches it, and used once.

A launch comes in: command, variables, era and time limit of a client. Out goes what was seen, or
what failed and what to do about it. It speaks JSON-RPC over pipes and knows no client by name, no
file of one, and none of the rooms: what is proved is the program, not its parts.
"""
