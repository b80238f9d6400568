"""llama-server seen from a terminal: its state, its log, its end.

Arguments come in; lines, bars or JSON go out. Looking starts nothing and makes nothing.
"""
