"""Out of the bytes of a log file: just what json and gzip find there, or why not."""

import gzip
import json
import random
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_records import RECORDS

from ecs_runbook.past import scan as scanning
from ecs_runbook.past.facts import EVENT_NAMES
from ecs_runbook.past.scan import NotALogFile, scan, scanned_slowly

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\{}[],:\u2028é😀'), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAME = st.sampled_from([*EVENT_NAMES, "ListTasks", "runtask", 'RunTask"', "\u212aRunTask", None, 3, ["RunTask"]])
RECORD = st.builds(
    lambda name, more, first, copy: (
        {"eventName": name, **more} if first else {**more, "requestParameters": copy, "eventName": name}
    ),
    NAME,
    st.dictionaries(TEXT | st.just("eventVersion"), JSON, max_size=3),
    st.booleans(),
    st.none() | st.just({"items": [{"eventVersion": "1.11", "eventName": "RunTask"}] * 2}),
)
FORMS = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"indent": 1},
        {"separators": (" , ", " : ")},
        {"separators": (",", ":"), "ensure_ascii": False},
    ]
)


def plainly(content):
    """Return what the standard library finds."""
    found = json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    return [one for one in found["Records"] if one.get("eventName") in EVENT_NAMES]


def scanned(content):
    return [json.loads(piece) for piece in scan(content, EVENT_NAMES).found]


def packed(records, **form):
    return gzip.compress(json.dumps({"Records": records}, **form).encode(), 1)


def escaped(text, chance):
    """Return JSON that says the same, with some letters as ``\\uXXXX``."""

    def one(found):
        letters = (f"\\u{ord(one):04x}" if one.isalpha() and chance.random() < 0.3 else one for one in found[1])
        return f'"{"".join(letters)}"'

    return re.sub(r'"(Records|eventName|RunTask|RegisterTaskDefinition)"', one, text)


@settings(max_examples=60)
@given(st.lists(RECORD, max_size=5), FORMS, st.integers(0, 2**16), st.booleans(), st.binary(max_size=3))
def test_whatever_a_log_file_looks_like_the_same_is_found_as_by_parsing_all_of_it(records, form, seed, twice, more):
    text = json.dumps({"more": more.hex(), "Records": records}, **form)
    text = escaped(text, random.Random(seed)) if form.get("indent") is None else text
    raw = text.encode()
    middle = len(raw) // 2
    content = gzip.compress(raw[:middle], 1) + gzip.compress(raw[middle:], 1) if twice else gzip.compress(raw, 1)
    assert scanned(content) == plainly(content)
    assert scan(content, EVENT_NAMES).records == len(records)
    assert [json.loads(one) for one in scanned_slowly(raw, EVENT_NAMES).found] == plainly(content)


@settings(max_examples=60)
@given(st.data())
def test_a_file_cut_off_or_damaged_anywhere_is_read_as_it_was_or_not_at_all(data):
    whole = packed(RECORDS, separators=(",", ":"))
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[at + 1 :]
    with suppress(NotALogFile):
        assert scanned(damaged) == plainly(whole)


def test_the_records_that_count_are_found_and_the_others_are_counted():
    told = scan(packed(RECORDS), EVENT_NAMES)
    assert [json.loads(piece) for piece in told.found] == [r for r in RECORDS if r["eventName"] in EVENT_NAMES]
    assert told.records == len(RECORDS) > len(told.found)


J = b'{"Records":[%s]}'


NO_LOG_FILES = {
    "empty": (b"", "is empty"),
    "zeros": (b"\0" * 40, "holds nothing but zero bytes"),
    "gzip of nothing": (gzip.compress(b""), "holds nothing"),
    "gzip of blanks": (gzip.compress(b" \n"), "holds nothing"),
    "without its end": (packed(RECORDS)[:-9], "ends in the middle: "),
    "its beginning": (packed(RECORDS)[:15], "ends in the middle: 15 bytes of gzip without an end"),
    "another checksum": (packed(RECORDS)[:-8] + b"abcdefgh", "is damaged gzip: "),
    "more behind it": (packed([]) + b"more", "has something else behind the end of the gzip"),
    "text": (b"2026-11-24 an ELB's log", "is neither gzip nor JSON"),
    "gzip of text": (gzip.compress(b"2026-11-24 an ELB's log"), "is not JSON: "),
    "NaN": (J % b'{"a":NaN}', "is not JSON: NaN is no JSON"),
    "Latin 1": (J % b'{"a":"\xff"}', "is not JSON: it is not UTF-8"),
    "UTF-16": (gzip.compress('{"Records":[]}'.encode("utf-16")), "is not JSON: it is not UTF-8"),
    "JSON without its end": (J[:-4] % () + b'{"eventName":"RunTask","a":', "is not JSON: "),
    "two of them": (J % b"" + J % b"", "is not JSON: Extra data"),
    "no Records": (b'{"Records":null}', "is JSON of something else: its Records are no list of objects"),
    "a number": (J % b'{"eventName":"RunTask"},7', "is JSON of something else: its Records are no list of objects"),
    "a digest": (b'{"digestS3Bucket":"trail"}', "is JSON of something else: it has no Records"),
    "a list": (b"[]", "is JSON of something else: it has no Records"),
    "too deep": (J % (b'{"a":' + b"[" * 9999 + b"]" * 9999 + b"}"), "is nested too deeply"),
}


@pytest.mark.parametrize("kind", NO_LOG_FILES)
def test_what_is_no_log_file_is_told_with_its_reason(kind):
    content, why = NO_LOG_FILES[kind]
    with pytest.raises(NotALogFile) as told:
        scan(content, EVENT_NAMES)
    assert str(told.value).startswith(why)


def test_what_a_tool_has_inflated_already_and_a_mark_in_front_change_nothing():
    raw = json.dumps({"Records": RECORDS}).encode()
    assert scan(raw, EVENT_NAMES) == scan(packed(RECORDS), EVENT_NAMES)
    assert scan(b"\xef\xbb\xbf" + raw, EVENT_NAMES) == scan(raw, EVENT_NAMES)
    assert scan(packed(RECORDS) + b"\0" * 512, EVENT_NAMES) == scan(raw, EVENT_NAMES)


def test_of_a_key_that_is_there_twice_the_last_counts_as_json_has_it():
    raw = b'{"Records":[],"Records":[{"eventName":"ListTasks","eventName":"RunTask","a":1,"a":2}]}'
    assert scanned(raw) == plainly(raw) == [{"eventName": "RunTask", "a": 2}]


def test_a_text_that_was_cut_between_two_halves_of_a_letter_stops_nothing():
    cut = rb'{"eventName":"RunTask","errorMessage":"\ud83d"},{"eventName":"ListTasks","userAgent":"\ud83d"}'
    assert scanned(J % cut) == plainly(J % cut) == [{"eventName": "RunTask", "errorMessage": "\ud83d"}]


def test_what_would_fill_the_memory_is_not_inflated_to_its_end(monkeypatch):
    monkeypatch.setattr(scanning, "LARGEST_BYTES", 2**20)
    with pytest.raises(NotALogFile, match="holds more than 1 MB"):
        scan(gzip.compress(J % (b'{"a":"' + b"x" * 2**20 + b'"}')), EVENT_NAMES)
    assert len(scanning.inflated(gzip.compress(b"x" * 2**26))) <= 2**20 + 2**15 * 1100


def test_a_record_that_counts_and_is_larger_than_any_of_aws_is_told(monkeypatch):
    monkeypatch.setattr(scanning, "LARGEST_RECORD_BYTES", 2**20)
    large = {"eventName": "RunTask", "a": "x" * 2**20}
    with pytest.raises(NotALogFile, match="has a record of more than 1 MB"):
        scan(packed([large]), EVENT_NAMES)
    assert scanned(packed([large | {"eventName": "ListTasks"}, *RECORDS])) == plainly(packed(RECORDS))
