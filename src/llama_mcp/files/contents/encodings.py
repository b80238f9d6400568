"""Which encoding a text has, and its decoding, chunk by chunk.

A byte order mark counts, then UTF-8 that is right, then the pattern of NULs that UTF-16 and UTF-32
leave, then what charset-normalizer finds.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass, field

UTF_8 = "utf-8"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a text without a mark may be whose bytes have NULs among them.
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# Controls that no text has; tab, line ends, form feed, backspace and ESC (colours in logs) it may.
_CONTROLS = re.compile("[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_RAW_CONTROLS = bytes(set(range(32)) - set(b"\t\n\x08\x0c\r\x1b"))
MAX_CONTROL_SHARE = 0.02
# Characters that nobody has assigned, or for private use: many of them mean another encoding.
_STRANGE = frozenset({"Cn", "Co"})
_WIDE_SAMPLE_BYTES = 16_384
# A few bytes that are wrong, in a log for example, make no other encoding of a text.
MAX_STRAY_SHARE = 0.01
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
        return _with_nuls(head[:_WIDE_SAMPLE_BYTES])
    if _reads_as_text(head, UTF_8) or _is_mostly_utf_8(head):
        return UTF_8
    if len(head) - len(head.translate(None, _RAW_CONTROLS)) > MAX_CONTROL_SHARE * len(head):
        return None
    return detected(head) or (UTF_8 if _has_only_strays(head) else None)


def detected(sample: bytes) -> str | None:
    """Return the encoding that charset-normalizer finds in bytes without a mark; None for none."""
    # Imported here: it is only needed for old encodings.
    from charset_normalizer import from_bytes

    # Lines of ASCII alone say nothing, and many of them lead the library astray.
    lines = [line for line in sample.split(b"\n") if not line.isascii()]
    told = b"\n".join(lines)[:_DETECTED_BYTES]
    best = from_bytes(told, cp_exclusion=sorted(_UTF_7)).best()
    if best is None:
        return None
    # Of those that read the sample alike, the usual one.
    encoding = _USUAL if _USUAL in best.could_be_from_charset else best.encoding
    return codecs.lookup(encoding).name if _reads_as_text(sample, encoding) else None


def _is_mostly_utf_8(sample: bytes) -> bool:
    """Tell whether most of what is no ASCII is right UTF-8, which happens in no other encoding."""
    text = sample.decode(UTF_8, "replace")
    wrong = text.count("\ufffd")
    right = sum(not character.isascii() for character in text) - wrong
    return right > wrong and not _CONTROLS.search(text)


def _has_only_strays(sample: bytes) -> bool:
    text = sample.decode(UTF_8, "replace")
    return text.count("\ufffd") <= MAX_STRAY_SHARE * len(text)


def _with_nuls(sample: bytes) -> str | None:
    """Return the encoding of a sample with NULs: a wide one, or UTF-8 where they are few.

    Two letters of ASCII make one of Chinese, so that a wide reading proves nothing of a sample that
    is a text without its NULs, unless most of what it gives is ASCII.
    """
    encoding = _wide(sample)
    rest = sample.replace(b"\0", b"")
    if not _reads_as_text(rest, UTF_8):
        return encoding
    if encoding is not None and _plain_share(sample, encoding) >= 0.5:
        return encoding
    return UTF_8 if len(sample) - len(rest) <= MAX_CONTROL_SHARE * len(sample) else None


def _plain_share(sample: bytes, encoding: str) -> float:
    text = sample.decode(encoding, "ignore")
    return sum(character.isascii() for character in text) / max(len(text), 1)


def _wide(sample: bytes) -> str | None:
    """Return the encoding of two or four bytes a character in which the sample has most ASCII."""
    found, most = None, 0
    for encoding in _WIDE:
        unit = 4 if "32" in encoding else 2
        whole = sample[: len(sample) // unit * unit]
        if not _reads_as_text(whole, encoding):
            continue
        text = whole.decode(encoding, "ignore")
        plain = sum(character.isascii() for character in text)
        strange = sum(unicodedata.category(character) in _STRANGE for character in text)
        if plain > most and strange <= MAX_CONTROL_SHARE * len(text):
            found, most = encoding, plain
    return found


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
            near = chunk[max(0, error.start - _DETECTED_BYTES // 2) :][:_DETECTED_BYTES]
            if not chunk[: error.start].isascii() or b"\0" in near:
                return
            found = encoding_of(near)
            # What was decoded so far has to read the same in it.
            if found is not None and b"a\r\n".decode(found, "replace") == "a\r\n":
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
