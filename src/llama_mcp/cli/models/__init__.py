"""Models at a terminal: which there are, and getting one."""
