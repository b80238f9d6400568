"""The operator's file of tokens: who may call over HTTP.

In: the path of a TOML file. Out: the `Caller` that a token stands for, or what is wrong with the
file and on which line. It must not know HTTP, MCP, or what a scope allows.
"""
