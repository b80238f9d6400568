"""A stand-in for llama-server that misbehaves on demand. Only faults are tested on it: ordinary
behaviour has the real one.

In comes llama-server's own command line and `fake.json` beside the executable; out goes
llama-server's HTTP, log and exit codes, with the faults that file asks for (`faults.py` lists
them). Tests use `install.py`; everything else runs in the process that they start.
"""
