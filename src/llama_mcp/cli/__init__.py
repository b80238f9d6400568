"""A person at a terminal: the command line, and the demo.

Arguments come in, plain text and an exit code go out. It knows the front desk only to serve it; the
demo is a client like any other and knows the SDK.
"""
