"""Engines that somebody else runs, as the operator names them: which one is meant, what is told.

Settings, entries of the file of models and names come in; a RemoteEngine, or its status, figures
and rows go out. Knows no run: what is ours stays in the rooms beside it. No caller says a URL.
"""
