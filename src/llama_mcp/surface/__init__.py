"""The front desk, the only room that speaks MCP: calls come in, results and clear errors go out.

Knows how a client speaks; must not know how llama-server is started, found or asked, nor SQL.
"""
