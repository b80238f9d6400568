"""Tries client programs as they ship, with a scripted model instead of their own.

In comes a list of programs, out goes a row of a table for each. A program is installed as its users
install it, told of llama-mcp as docs/clients.md tells them, and asked one question in a home of its
own; it reaches nothing but loopback.

| file | what it does |
| --- | --- |
| `installing.py` | gets the packages |
| `scenarios.py` | what the model does, and with what llama-server |
| `running.py` | runs a program, ends it, waits for what should be gone |
| `judging.py` | says whether the promises were kept |
| `verdict.py` | says whether a run is made again, and what counts |
| `yardstick.py` | measures how slow the machine is |
| `trying.py` | all of that for one program |
| `table.py` | for all programs |
| `setting_up.py` | has programs set up by `llama-mcp install`, and asks their own lists |
"""
