"""Sessions at a terminal: found, shown, exported, deleted.

Ids, or beginnings of them, come in; tables, transcripts or JSON go out.
"""
