"""MCP over HTTP: requests of several people, each with a token.

In: the server, and who has which token. Out: an application that is served by one process of a
home, until it is asked to end. It must not know a tool, a resource, or the file of tokens.
"""
