"""One launch of llama-server on disk and in the process table.

A Launch comes in, a Run with its state and its ending goes out. Here are the run folder, the start
lock, this process's lease and connection, the keeper as a process, all processes of a run, ports,
runs of other machines and containers, and the log lines of a run's life. Knows no reason for a
start or a stop.
"""
