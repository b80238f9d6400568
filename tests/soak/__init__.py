"""A long run under mixed load: does anything grow, get lost, get mixed up or stay behind?

`sh scripts/soak [MINUTES]` runs it, ten minutes when nothing is said. `load.py` does what clients,
users and accidents do; `ledger.py` remembers what was said and compares it with the archive;
`measuring.py` has the bounds. docs/reliability.md tells what came of it.
"""
