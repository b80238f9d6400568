"""The front desk: MCP calls come in, results and clear errors go out.

Knows how a client speaks; knows nothing of processes, HTTP or SQL.
"""
