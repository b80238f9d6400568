"""A client's configuration is changed: worked out from its text, written whole, kept, put back.

A client and an entry come in; the file is changed by that entry and nothing else, or left alone
with the reason. It knows no command line and proves nothing.
"""
