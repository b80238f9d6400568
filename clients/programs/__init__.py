"""Client programs: what each is, how it is told of llama-mcp, how it is asked a question.

A file for each program, or for each kind; `program.py` has what they share, `all_programs.py` the
list. The forms of their entries come from examples/, the agents' programs from clients/agents.
"""
