"""`multipart/form-data` bodies (RFC 7578), read by the library `multipart`. Runs per request.

The library finds the parts; its leniencies are refused here, so that no part, and nothing
of a part, is lost without a word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser
from sanic.request.form import File

from msframework.conf.settings import ServerSettings
from msframework.exceptions import BadRequest, PayloadTooLarge, UnsupportedMediaType
from msframework.headers import TOKEN
from msframework.inputs.media import UTF8, parse_media_type
from msframework.inputs.percent import decode

FormValues = dict[str, list[Any]]

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]").fullmatch
_PARAM: Final = rf'({TOKEN})[ \t]*=[ \t]*({TOKEN}|"(?:\\.|[^\\"])*")'
# As browsers write it, where a backslash is itself; and as RFC 9110, 5.6.6 has it.
_DISPOSITION: Final = re.compile(
    r'form-data; name="[^"]*"(?:; filename="[^"]*")?'
    rf"|form-data[ \t]*(?:;[ \t]*{_PARAM}[ \t]*)+;?[ \t]*",
    re.IGNORECASE,
).fullmatch
_PARAMS: Final = re.compile(rf";[ \t]*{_PARAM}").findall
_EXTENDED: Final = re.compile(r"utf-8'[A-Za-z0-9-]*'(.*)", re.IGNORECASE).fullmatch
_CONTROL: Final = re.compile(r"[\0-\x08\x0a-\x1f\x7f]").search
_HEADER: Final = re.compile(TOKEN.encode() + rb":").match
_LONGEST_FILENAME: Final = 1024
_TRANSPARENT: Final = frozenset(("7bit", "8bit", "binary"))
# The charsets of text parts that are decoded; RFC 7578 wants UTF-8.
_CHARSETS: Final = dict.fromkeys(UTF8, "utf-8") | {
    "iso-8859-1": "iso-8859-1",
    "windows-1252": "cp1252",
}


def parse_multipart(
    body: bytes, boundary: str | None, limits: ServerSettings
) -> tuple[FormValues, FormValues]:
    """Return the fields and the files of *body*, by their names.

    Args:
        boundary: the one that the Content-Type declares.
        limits: the settings of the server.

    Raises:
        BadRequest: it is malformed, or a text is not in its charset.
        PayloadTooLarge: it has more parts than `MAX_FIELDS`, a field beyond `MAX_FIELD_SIZE`, or a
            file with too long a name.
        UnsupportedMediaType: a part is encoded in a way that is not read.
    """
    if boundary is None or not _BOUNDARY(boundary):
        raise BadRequest("the Content-Type of the form has no boundary, or none that is valid")
    fields: FormValues = {}
    files: FormValues = {}
    parser = PushMultipartParser(boundary, max_segment_count=limits.max_fields, strict=True)
    pieces: list[bytes] = []
    segment = None
    try:
        with parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, pieces = event, []
                    _check_head(segment)
                elif event is not None:
                    pieces.append(event)
                else:
                    assert segment is not None
                    _store(segment, b"".join(pieces), limits, fields, files)
    except ParserLimitReached as exc:
        raise PayloadTooLarge(f"the form is beyond a limit: {exc.args[0]}") from exc
    except MultipartError as exc:
        raise BadRequest(f"the form is malformed: {exc.args[0]}") from exc
    _check_rest(body, b"--" + boundary.encode())
    _check_names(body, b"\r\n--" + boundary.encode() + b"\r\n")
    return fields, files


def _check_rest(body: bytes, delimiter: bytes) -> None:
    """Refuse parts after the last delimiter: it stood within a file, or somebody hides them."""
    closing = delimiter + b"--"
    start = 0 if body.startswith(closing) else body.find(b"\r\n" + closing) + 2
    if body.find(delimiter, start + len(closing)) >= 0:
        raise BadRequest("the form is malformed: its boundary occurs after its end")


def _check_names(body: bytes, delimiter: bytes) -> None:
    """Refuse parts with a header whose name the library trimmed; others know no such header."""
    start = -2 if body.startswith(delimiter[2:]) else body.find(delimiter)
    while start != -1:
        first = start + len(delimiter)
        end = body.find(b"\r\n\r\n", first)
        if not all(map(_HEADER, body[first:end].split(b"\r\n"))):
            raise BadRequest("the form is malformed: the name of a part's header is broken")
        start = body.find(delimiter, end + 2)


def _check_head(segment: MultipartSegment) -> None:
    """Refuse a head of a part that the library reads leniently.

    Raises:
        BadRequest: a header is malformed, or stands twice.
        UnsupportedMediaType: the content is encoded, or a form within the form.
    """
    heads: dict[str, str] = {}
    for name, value in segment.headerlist:
        if name in heads or _CONTROL(value):
            raise BadRequest(
                f"the form is malformed: the {name} of a part is given twice or broken"
            )
        heads[name] = value
    disposition = heads["Content-Disposition"]
    params = [name.lower() for name, _ in _PARAMS(disposition)]
    if not _DISPOSITION(disposition) or len(params) != len(set(params)):
        raise BadRequest("the form is malformed: the Content-Disposition of a part is broken")
    encoding = heads.get("Content-Transfer-Encoding", "binary").strip().lower()
    if encoding not in _TRANSPARENT or (segment.content_type or "").startswith("multipart/"):
        raise UnsupportedMediaType(
            f"the part {segment.name!r} is encoded or a form itself; send its bytes as they are"
        )


def _store(
    segment: MultipartSegment,
    content: bytes,
    limits: ServerSettings,
    fields: FormValues,
    files: FormValues,
) -> None:
    """Store one part as a field or a file; a file input that was left empty is neither."""
    name = str(segment.name)
    filename = _read_filename(segment)
    if filename is None:
        if len(content) > limits.max_field_size:
            raise PayloadTooLarge(f"a field is larger than {limits.max_field_size} bytes")
        fields.setdefault(name, []).append(_read_text(segment, content))
    elif filename or content:
        media_type = segment.content_type or "text/plain"
        files.setdefault(name, []).append(File(media_type, content, filename))


def _read_filename(segment: MultipartSegment) -> str | None:
    """Return the name of the part's file; `filename*` counts where it stands alone (RFC 8187)."""
    filename = segment.filename
    if filename is None:
        given = dict(_PARAMS(segment.header("Content-Disposition"))).get("filename*")
        if given is None:
            return None
        extended = _EXTENDED(given)
        if extended is None:
            raise BadRequest("the form is malformed: a filename* is not UTF-8''…")
        filename = decode(extended[1], "a filename* of the form")
    if "\0" in filename:
        raise BadRequest("the form is malformed: the name of a file has a NUL")
    # NOTE: normalizing takes time that grows with the square of a name of combining marks.
    if len(filename.encode()) > _LONGEST_FILENAME:
        raise PayloadTooLarge(f"the name of a file is longer than {_LONGEST_FILENAME} bytes")
    # As Sanic does: macOS sends decomposed letters.
    return unicodedata.normalize("NFC", filename)


def _read_text(segment: MultipartSegment, content: bytes) -> str:
    """Return the value of a field.

    Raises:
        BadRequest: it is not in its charset.
        UnsupportedMediaType: that charset is not read.
    """
    given = segment.header("Content-Type")
    media_type = parse_media_type(given) if given is not None else None
    if given is not None and media_type is None:
        raise BadRequest(f"the form is malformed: the Content-Type of {segment.name!r} is broken")
    said = "utf-8" if media_type is None else media_type.params.get("charset", "utf-8").lower()
    charset = _CHARSETS.get(said)
    if charset is None:
        raise UnsupportedMediaType(f"the field {segment.name!r} is in {said!r}; send UTF-8")
    try:
        return content.decode(charset)
    except UnicodeDecodeError as exc:
        raise BadRequest(f"the field {segment.name!r} is no {said} (at byte {exc.start})") from exc
