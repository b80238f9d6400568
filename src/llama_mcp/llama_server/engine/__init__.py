"""Which program is llama-server, which flags it has, and the command line for one start.

Settings and a call's arguments come in, a checked LaunchConfig, argv and environment go out. Knows
no run and no running process but those that it asks about themselves (--help, --list-devices).
"""
