"""Serving MCP over stdin and stdout.

The two descriptors come in, MCP messages go on to the SDK's server and its answers out. Nothing
here knows a tool, a resource or llama-server.
"""
