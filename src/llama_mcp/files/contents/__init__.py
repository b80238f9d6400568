"""What the bytes of an opened file are: text in any encoding, a picture, or neither.

Bytes come in; texts in blocks, and pictures with their measures, go out. Opens no file.
"""
