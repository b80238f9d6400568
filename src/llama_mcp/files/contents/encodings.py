"""Which encoding a text has, and its decoding, chunk by chunk.

A byte order mark counts, then UTF-8 that is right, then the pattern of NULs that UTF-16 and UTF-32
leave, then what charset-normalizer finds.
"""

import codecs
import re
from dataclasses import dataclass, field

UTF_8 = "utf-8"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Where a text of ASCII and a few others has its NULs: the place of a byte in its unit.
_WIDE = (
    ("utf-32-le", 4, (0,)),
    ("utf-32-be", 4, (3,)),
    ("utf-16-le", 2, (0,)),
    ("utf-16-be", 2, (1,)),
)
# Controls that no text has; tab, line ends, form feed, backspace and ESC (colours in logs) it may.
_CONTROLS = re.compile("[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
MAX_CONTROL_SHARE = 0.02
# What the library looks at: more makes it slower, not surer.
_DETECTED_BYTES = 32_768
_USUAL = "cp1252"
_UTF_7 = frozenset({"utf_7"})


def encoding_of(head: bytes) -> str | None:
    """Return the encoding in which a file begins, as Python names it; None when it is no text.

    Args:
        head: the first bytes; their last character may be cut.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding if _reads_as_text(head, encoding) else None
    if b"\0" in head:
        return _wide(head)
    if _reads_as_text(head, UTF_8):
        return UTF_8
    return detected(head)


def detected(sample: bytes) -> str | None:
    """Return the encoding that charset-normalizer finds in bytes without a mark; None for none."""
    # Imported here: it is only needed for old encodings.
    from charset_normalizer import from_bytes

    best = from_bytes(sample[:_DETECTED_BYTES], cp_exclusion=sorted(_UTF_7)).best()
    if best is None:
        return None
    # Of those that read the sample alike, the usual one.
    encoding = _USUAL if _USUAL in best.could_be_from_charset else best.encoding
    return codecs.lookup(encoding).name if _reads_as_text(sample, encoding) else None


def _wide(head: bytes) -> str | None:
    for encoding, unit, places in _WIDE:
        whole = head[: len(head) // unit * unit]
        nuls = [whole[place::unit].count(0) for place in range(unit)]
        if any(nuls[place] for place in places) or sum(nuls) != head.count(0):
            continue
        if whole and _reads_as_text(whole, encoding):
            return encoding
    return None


def _reads_as_text(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except (UnicodeError, LookupError):
        return False
    if "\0" in text:
        return False
    return len(_CONTROLS.findall(text)) <= MAX_CONTROL_SHARE * len(text)


@dataclass
class TextDecoder:
    """Decodes a text in chunks; what is wrong in it is replaced and counted, never an error."""

    encoding: str
    replaced: int = 0
    """How many characters stand for bytes that are none in this encoding."""
    nuls: int = 0
    """How many NULs were left out."""
    _decoder: codecs.IncrementalDecoder = field(init=False)
    _is_ascii: bool = field(default=True, init=False)
    _ends_in_return: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Begin with nothing decoded."""
        self._decoder = self._made()

    def decode(self, chunk: bytes, *, is_last: bool = False) -> str:
        """Return the text of the next bytes, with line feeds for line ends of Windows."""
        if self.encoding == UTF_8 and self._is_ascii and not chunk.isascii():
            self._choose(chunk)
        text = self._decoder.decode(chunk, is_last)
        self.replaced += text.count("\ufffd") if "\ufffd" in text else 0
        if "\0" in text:
            self.nuls += text.count("\0")
            text = text.replace("\0", "")
        return self._with_line_feeds(text, is_last)

    def _choose(self, chunk: bytes) -> None:
        """Look again at what was only ASCII so far: only now it is seen which encoding it is."""
        self._is_ascii = False
        try:
            codecs.getincrementaldecoder(UTF_8)().decode(chunk)
        except UnicodeDecodeError as error:
            near = chunk[max(0, error.start - _DETECTED_BYTES // 2) :]
            found = None if b"\0" in near[:_DETECTED_BYTES] else detected(near[:_DETECTED_BYTES])
            if found is not None and not found.startswith(("utf", "idna", "punycode")):
                self.encoding = found
                self._decoder = self._made()

    def _made(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.encoding)("replace")

    def _with_line_feeds(self, text: str, is_last: bool) -> str:
        if self._ends_in_return:
            text = "\r" + text
        self._ends_in_return = text.endswith("\r") and not is_last
        if self._ends_in_return:
            text = text[:-1]
        return text.replace("\r\n", "\n")
