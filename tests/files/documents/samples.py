"""Small documents of each kind, made here."""

import io
import zipfile

PARAGRAPHS = ("The first paragraph.", "Größe & Gewicht")


def pdf(*lines: str) -> bytes:
    """Return a PDF of one page with these lines of Latin-1."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    stream = f"BT /F1 12 Tf 72 720 Td 14 TL {shown} ET".encode("latin-1")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(content)
    return content + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (len(places) + 1, table, len(places) + 1, start)
    )


def zipped(parts: dict[str, str]) -> bytes:
    """Return a ZIP of these parts; the first one is not packed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for number, (name, text) in enumerate(parts.items()):
            how = zipfile.ZIP_DEFLATED if number else zipfile.ZIP_STORED
            written.writestr(name, text, how)
    return content.getvalue()


_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATED = "http://schemas.openxmlformats.org/package/2006/relationships"


def related(kind: str, *targets: str) -> str:
    rows = (
        f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, target in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_RELATED}">{"".join(rows)}</Relationships>'


def escaped(text: str) -> str:
    return text.replace("&", "&amp;")


def docx(*paragraphs: str) -> bytes:
    texts = "".join(f"<w:p><w:r><w:t>{escaped(p)}</w:t></w:r></w:p>" for p in paragraphs)
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return zipped(
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": related("officeDocument", "word/document.xml"),
            "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{texts}</w:body>'
            "</w:document>",
        }
    )


def pptx(*slides: str) -> bytes:
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    shown = "http://schemas.openxmlformats.org/presentationml/2006/main"
    # The order in which they are shown is not that of their numbers.
    ids = "".join(f'<p:sldId id="{n}" r:id="r{n}"/>' for n in range(len(slides), 0, -1))
    parts = {
        "[Content_Types].xml": _TYPES,
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{shown}" xmlns:r="{_OFFICE}">'
        f"<p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": related(
            "slide", *(f"slides/slide{n}.xml" for n in range(1, len(slides) + 1))
        ),
    }
    for number, text in enumerate(reversed(slides), 1):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'<p:sld xmlns:p="{shown}" xmlns:a="{drawing}">'
            f"<a:p><a:r><a:t>{escaped(text)}</a:t></a:r></a:p></p:sld>"
        )
    return zipped(parts)


def odt(*paragraphs: str) -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    first, *rest = map(escaped, paragraphs)
    texts = f'<text:h text:outline-level="2">{first}</text:h>' + "".join(
        f"<text:p>{text}<text:s text:c='2'/>end</text:p>" for text in rest
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f'<office:document-content xmlns:office="{names}:office:1.0" '
            f'xmlns:text="{names}:text:1.0"><office:body>{texts}</office:body>'
            "</office:document-content>",
        }
    )


def epub(*chapters: str) -> bytes:
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": "<container "
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        + "".join(f'<item id="c{n}" href="my%20{n}.html"/>' for n in range(len(chapters)))
        + "</manifest><spine>"
        + "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
        + "</spine></package>",
    }
    for number, text in enumerate(chapters):
        parts[f"OEBPS/my {number}.html"] = f"<html><body><p>{escaped(text)}</p></body></html>"
    return zipped(parts)


def xlsx(*rows: tuple[object, ...]) -> bytes:
    import openpyxl

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "Figures"
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


RTF = rb"{\rtf1\ansi\deff0 {\fonttbl{\f0 Arial;}}\f0 The first paragraph.\par Gr\'f6\'dfe\par}"
HTML = """<!DOCTYPE html><html><head><title>The title</title><style>p {}</style>
<script>alert("no")</script></head><body><!-- no --><h1>A heading</h1>
<p>Some   <b>bold</b>
words.<br>A line.</p><ul><li>one<li>two</ul>
<table><tr><th>a</th><td>1</td></tr><tr><td>b</td><td>2</td></tr></table>
<pre>  kept
    as it is</pre><p>Größe &amp; Gewicht</p></body></html>"""
