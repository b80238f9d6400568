"""A program: reads a document from stdin and writes its text to stdout, piece by piece.

argv     what the document is: pdf, html, docx, xlsx, pptx, odt, epub or rtf
stdin    the opened file itself, which can be sought in
stdout   the text in UTF-8
stderr   when it ends with UNREADABLE: why, a short clause
"""

import logging
import sys
import warnings
from typing import BinaryIO

from llama_mcp.files.documents.limits import MAX_MEMORY_BYTES, UNREADABLE, limit_process
from llama_mcp.files.documents.problems import DocumentProblem


def main() -> int:
    """Write the text of the document; return the exit code."""
    logging.disable()
    warnings.simplefilter("ignore")  # of libraries, about what is odd in a document
    limit_process()
    sys.setrecursionlimit(3000)
    with open(0, "rb", closefd=False) as document:
        try:
            _write(sys.argv[1], document)
        except DocumentProblem as problem:
            return _told(str(problem))
        except MemoryError:
            return _told(f"it takes more than {MAX_MEMORY_BYTES // 2**30} GiB of memory to read")
        except BrokenPipeError:
            return 0
        except Exception as error:  # whatever a library meets in a damaged document
            return _told(f"it is damaged, or of a kind that is not read ({type(error).__name__})")
    return 0


def _write(kind: str, document: BinaryIO) -> None:
    # Imported here: within the limits.
    from llama_mcp.files.documents.readers import READERS

    has_text = False
    for piece in READERS[kind](document):
        has_text = has_text or not piece.isspace()
        sys.stdout.buffer.write(piece.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    if not has_text:
        raise DocumentProblem("it holds no text" + (", only pictures" if kind == "pdf" else ""))


def _told(problem: str) -> int:
    sys.stderr.write(problem)
    return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
