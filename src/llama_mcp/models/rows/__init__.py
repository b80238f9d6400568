"""From files to rows: parts of a split model together, with its projector, name and fault.

What places have found comes in, rows of the library and what is no model go out. Knows no place, no
setting, and nothing of what a caller may mean.
"""
