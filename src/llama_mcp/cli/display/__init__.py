"""How things look at a terminal: columns that fit, a line that comes and goes, JSON for programs.

Texts come in, harmless text of the right width goes out. It knows no room of the house.
"""
