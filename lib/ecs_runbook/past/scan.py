"""
The records that count, out of the bytes of one delivered log file.

The whole file is checked, and only the records asked for are made into anything: a file is read whole or not at all.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from isal import isal_zlib
from isal.igzip_lib import IsalError

LARGEST_BYTES = 128 * 2**20
"""What a file may inflate to. CloudTrail's own are far smaller; what is larger would fill the memory."""
LARGEST_RECORD_BYTES = 16 * 2**20
"""Of a record that counts. AWS docs, CloudTrail quotas: an event has at most 256 KB, or 1 MB where that is chosen."""
_SLOWLY_BYTES = 32 * 2**20
_CHUNK_BYTES = 2**15
_GZIP = b"\x1f\x8b"
_AS_GZIP = 31  # zlib's word for a gzip header and trailer around the deflated bytes


class NotALogFile(ValueError):
    """A file that cannot be read as a log file; its text says why, as the rest of a sentence about the file."""


class Scanned(NamedTuple):
    """How many records a file has, and those that were asked for, each as its JSON."""

    records: int
    found: list[bytes]


class _Named(msgspec.Struct, gc=False):
    eventName: Any = None  # noqa: N815 - CloudTrail's


class _Names(msgspec.Struct):
    Records: list[_Named]


class _Pieces(msgspec.Struct):
    Records: list[msgspec.Raw]


_NAMES, _PIECES = msgspec.json.Decoder(_Names), msgspec.json.Decoder(_Pieces)


def scan(content: bytes, names: Sequence[str]) -> Scanned:
    """
    Return the records of a log file whose ``eventName`` is one of *names*.

    Parameters
    ----------
    content
        The file: gzip, of one or several members, or plain JSON, since tools that heed ``Content-Encoding`` inflate it.
    names
        What to look for.

    Raises
    ------
    NotALogFile
        If it is cut off, damaged, too large, not JSON, or JSON of something else.

    Notes
    -----
    All of the file must be JSON as :mod:`json` takes it, also what is not asked for.
    Source: AWS docs, CloudTrail log files: ``{"Records": […]}``, compressed with gzip.

    Examples
    --------
    >>> scan(b'{"Records":[{"eventName":"RunTask","eventID":"e1"},{"eventName":"ListTasks"}]}', ["RunTask"])
    Scanned(records=2, found=[b'{"eventName":"RunTask","eventID":"e1"}'])
    """
    if not content.strip(b"\0"):
        raise NotALogFile("is empty" if not content else "holds nothing but zero bytes")
    packed = content.startswith(_GZIP)
    plain = inflated(content) if packed else content
    if len(plain) > LARGEST_BYTES:
        raise NotALogFile(f"holds more than {LARGEST_BYTES // 2**20} MB")
    if plain.startswith(codecs.BOM_UTF8):
        plain = plain[len(codecs.BOM_UTF8) :]
    begin = plain[:_CHUNK_BYTES].lstrip()[:1]
    if not begin:
        raise NotALogFile("holds nothing")
    if not packed and begin not in b"{[":
        raise NotALogFile("is neither gzip nor JSON")
    if not _is_utf8(plain):
        raise NotALogFile("is not JSON: it is not UTF-8")
    scanned = _scanned(plain, names)
    if any(len(piece) > LARGEST_RECORD_BYTES for piece in scanned.found):
        raise NotALogFile(f"has a record of more than {LARGEST_RECORD_BYTES // 2**20} MB")
    return scanned


def inflated(content: bytes) -> bytes | bytearray:
    """
    Return what a gzip file holds, as far as :data:`LARGEST_BYTES` and little beyond.

    Raises
    ------
    NotALogFile
        If it ends too early, or is damaged.
    """
    whole, at, view = bytearray(), 0, memoryview(content)
    while True:
        inflator = isal_zlib.decompressobj(wbits=_AS_GZIP)
        try:
            while not inflator.eof and at < len(view) and len(whole) <= LARGEST_BYTES:
                whole += inflator.decompress(view[at : at + _CHUNK_BYTES])
                at = min(at + _CHUNK_BYTES, len(view))
        except IsalError as error:  # type: ignore[misc] # a class, which its stub does not know
            raise NotALogFile(f"is damaged gzip: {_words(error)}") from error
        if not inflator.eof and len(whole) <= LARGEST_BYTES:
            raise NotALogFile(f"ends in the middle: {len(view):,} bytes of gzip without an end")
        at -= len(inflator.unused_data)
        rest = bytes(view[at : at + _CHUNK_BYTES])
        if len(whole) > LARGEST_BYTES or not rest.strip(b"\0"):
            return whole
        if not rest.startswith(_GZIP):
            raise NotALogFile("has something else behind the end of the gzip")


def _scanned(plain: bytes | bytearray, names: Sequence[str]) -> Scanned:
    """
    Find the records, fast: every byte is checked, and nothing but each record's name is made into an object.

    What that way is too strict for, such as half a pair of surrogates where CloudTrail cut a text at 1 KB, is read
    again with :mod:`json`, whose word is the last one.
    """
    wanted = tuple(names)
    try:
        records = _NAMES.decode(plain).Records
        places = [at for at, one in enumerate(records) if one.eventName in wanted]
        pieces = _PIECES.decode(plain).Records if places else []
        return Scanned(len(records), [bytes(pieces[at]) for at in places])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(plain) > _SLOWLY_BYTES:
            raise NotALogFile(f"is not a log file's JSON: {error}") from error
        return scanned_slowly(plain, names)


def scanned_slowly(plain: bytes | bytearray, names: Sequence[str]) -> Scanned:
    """
    Do the same with :mod:`json` alone.

    Raises
    ------
    NotALogFile
        If it is not JSON, or JSON of something else.
    """
    try:
        told = json.loads(plain.decode(), parse_constant=_refused)
    except RecursionError as error:
        raise NotALogFile("is nested too deeply") from error
    except ValueError as error:
        raise NotALogFile(f"is not JSON: {error}") from error
    if not isinstance(told, dict) or "Records" not in told:
        raise NotALogFile("is JSON of something else: it has no Records")
    records = told["Records"]
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise NotALogFile("is JSON of something else: its Records are no list of objects")
    wanted = tuple(names)
    return Scanned(len(records), [_text(one) for one in records if one.get("eventName") in wanted])


def _text(record: Any) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _is_utf8(plain: bytes | bytearray) -> bool:
    if plain.isascii():
        return True
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(plain)
    try:
        for at in range(0, len(view), _CHUNK_BYTES):
            decoder.decode(view[at : at + _CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _words(error: Exception) -> str:
    return str(error).rpartition("decompressing data: ")[2]
