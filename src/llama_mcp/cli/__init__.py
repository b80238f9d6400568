"""A person at a terminal: the commands, and how they look.

Arguments come in, plain text and an exit code go out. It uses the rooms by services.py and knows
the front desk only to serve it; the demo is a client like any other and knows the SDK.
"""
