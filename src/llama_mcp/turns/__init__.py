"""The conversation room: a message comes in, an archived reply goes out.

The one room where llama_server and sessions meet. Of llama_server it imports ready_server only.
It knows nothing of MCP.
"""
