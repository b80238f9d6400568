"""What the program says of a document that it cannot read."""


class DocumentProblem(Exception):  # noqa: N818 - a sentence's end, not an error of the program
    """Why a document gives no text: a short clause."""
