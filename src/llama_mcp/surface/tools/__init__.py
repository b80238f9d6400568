"""The tools, one file for each thing that a client comes for, and their catalogue."""
