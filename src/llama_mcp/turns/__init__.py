"""The conversation room: a message comes in, an archived reply goes out.

The one place where llama_server and sessions work together. Knows nothing of MCP.
"""
