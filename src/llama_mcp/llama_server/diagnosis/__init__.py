"""What llama-server's log and its end mean.

An ending and log lines come in, a cause with evidence and advice goes out. Pure but for reading the
log and the free memory; knows no run, no process and no HTTP.
"""
