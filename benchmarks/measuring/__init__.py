"""What the benchmarks share: servers and their clients, quiet moments, rows of figures.

In comes what a benchmark wants to have done both ways; out go samples and tables. Nothing here
knows what is measured.
"""
