"""The text of documents: PDF, HTML, DOCX, XLSX, PPTX, ODT, EPUB, RTF.

An opened file comes in, text in pieces goes out. The work is done by a program of its own
(`__main__.py`): a hostile document can take all time and memory, and only the end of the process
stops it. That program is given an opened file and no path, and knows nothing else of ours.
"""
