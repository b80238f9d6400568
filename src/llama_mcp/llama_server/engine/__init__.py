"""Which program is llama-server, which flags it has, and the command line for one start.

Settings and a call's arguments come in, a checked LaunchConfig and argv go out. Knows no run and no
running process but the one that it asks for --help.
"""
