"""
Paths, templates, intrinsic functions and choices of the Amazon States Language. Expectations are the examples of AWS
docs, Step Functions developer guide ("Intrinsic functions for JSONPath states", "Choice workflow state", "Modify
input and output"), and of the Amazon States Language's specification.
"""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws.asl_check import faults_of
from ecs_runbook.local_aws.asl_choices import chosen
from ecs_runbook.local_aws.asl_values import StateFailed, at_path, filled, with_result, worked_out

STORE = {
    "foo": 123,
    "bar": ["a", "b", "c"],
    "car": {"cdr": True, "a b": 1, "it's": 2},
    "jar": [{"a": 1}, {"a": 5}, {"a": 2}, {"a": 7}, {"b": 9}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", STORE),
        ("$.foo", 123),
        ("$.bar", ["a", "b", "c"]),
        ("$.car.cdr", True),
        ("$['car']['a b']", 1),
        ("$.car['it\\'s']", 2),
        ('$["car"].cdr', True),
        ("$.bar[1]", "b"),
        ("$.bar[-1]", "c"),
        ("$.bar[0:2]", ["a", "b"]),
        ("$.bar[*]", ["a", "b", "c"]),
        ("$..a", [1, 5, 2, 7]),
        ("$.jar[?(@.a >= 5)].a", [5, 7]),
        ("$.jar[?(@.b)].b", [9]),
        ("$.jar[?(@.a == 3)]", []),
        ("$.jar[0]['a']", 1),
    ],
)
def test_a_path_leads_to(path, expected):
    assert at_path(path, STORE, {}) == expected


@pytest.mark.parametrize("path", ["$.nothing", "$.bar[3]", "$.foo.deeper", "$.bar.a", "foo", "$.foo!", "$.bar[x]"])
def test_a_path_that_leads_nowhere_is_a_runtime_error(path):
    with pytest.raises(StateFailed) as failed:
        at_path(path, STORE, {})
    assert failed.value.error == "States.Runtime"
    assert path in failed.value.cause


NUMBERS = {"all": [1, 2, 3, 4, 5, 6, 7, 8, 9], "name": "Alejandro", "some": [1, 2, 3, 3, 3, 3, 3, 3, 4]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("States.Array('a', 2, $.name, null, true)", ["a", 2, "Alejandro", None, True]),
        ("States.ArrayPartition($.all, 4)", [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ("States.ArrayContains($.all, 5)", True),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayGetItem($.all, 5)", 6),
        ("States.ArrayLength($.all)", 9),
        ("States.ArrayUnique($.some)", [1, 2, 3, 4]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGVjb2RlZCBkYXRh')", "Decoded data"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("States.Format('Hello, my name is {}.', $.name)", "Hello, my name is Alejandro."),
        ("States.Format('{} of \\{\\}, it\\'s {}', 1, 'x')", "1 of {}, it's x"),
        ("States.MathAdd(111, -1)", 110),
        ("States.StringSplit('1,2,3,4,5', ',')", ["1", "2", "3", "4", "5"]),
        ("States.StringSplit('This.is+a,test=string', '.+,=')", ["This", "is", "a", "test", "string"]),
        ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
        ("States.JsonToString($.some)", "[1,2,3,3,3,3,3,3,4]"),
        ("States.ArrayGetItem(States.StringSplit(States.Format('{}:{}', $.name, 3), ':'), 1)", "3"),
    ],
)
def test_an_intrinsic_function_gives(expression, expected):
    assert worked_out(expression, NUMBERS, {}) == expected


def test_a_merge_is_shallow_and_the_second_wins():
    objects = {"one": {"a": {"a1": 1, "a2": 2}, "b": 2}, "two": {"a": {"a3": 1, "a4": 2}, "c": 3}}
    merged = worked_out("States.JsonMerge($.one, $.two, false)", objects, {})
    assert merged == {"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3}


def test_a_random_number_with_a_seed_is_the_same_again_and_within_its_limits():
    drawn = {worked_out("States.MathRandom(1, 9, 42)", {}, {}) for _ in range(5)}
    assert len(drawn) == 1
    assert 1 <= drawn.pop() < 9


def test_a_random_number_without_a_seed_is_the_same_for_the_same_moment_of_a_state():
    def drawn(entered):
        context = {"StateMachine": {"Id": "m"}, "State": {"Name": "Pause", "EnteredTime": entered}}
        return worked_out("States.MathRandom(1, 1000000)", {}, context)

    assert drawn("2026-11-24T12:00:00Z") == drawn("2026-11-24T12:00:00Z") != drawn("2026-11-24T12:00:01Z")


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("States.StringToJson('no json')", "States.IntrinsicFailure"),
        ("States.ArrayGetItem($.all, 99)", "States.IntrinsicFailure"),
        ("States.MathAdd('a', 1)", "States.IntrinsicFailure"),
        ("States.Format('{}', 1, 2)", "States.IntrinsicFailure"),
        ("States.Unknown(1)", "States.Runtime"),
        ("States.Format('a'", "States.Runtime"),
        ("States.MathAdd($.nothing, 1)", "States.Runtime"),
        ("plain words", "States.Runtime"),
    ],
)
def test_a_function_that_fails_says_how(expression, error):
    with pytest.raises(StateFailed) as failed:
        worked_out(expression, NUMBERS, {})
    assert failed.value.error == error


def test_a_template_takes_from_the_input_and_from_the_context():
    template = {"all.$": "$", "run.$": "$$.Execution.Name", "plain": "$.not.a.path", "deep": [{"n.$": "$.n"}]}
    assert filled(template, {"n": 1}, {"Execution": {"Name": "x"}}) == {
        "all": {"n": 1},
        "run": "x",
        "plain": "$.not.a.path",
        "deep": [{"n": 1}],
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", {"sum": 7}),
        (None, {"numbers": [3, 4]}),
        ("$.sum", {"numbers": [3, 4], "sum": {"sum": 7}}),
        ("$.a['b c']", {"numbers": [3, 4], "a": {"b c": {"sum": 7}}}),
        ("$.numbers", {"numbers": {"sum": 7}}),
    ],
)
def test_a_result_is_put_at_its_path(path, expected):
    before = {"numbers": [3, 4]}
    assert with_result(path, before, {"sum": 7}) == expected
    assert before == {"numbers": [3, 4]}


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), st.integers() | st.text(), max_size=4))
def test_what_is_written_as_text_is_read_back(value):
    whole = worked_out("States.StringToJson(States.JsonToString($.value))", {"value": value}, {})
    assert whole == value


PIECES = [
    "States.",
    "Format",
    "Array",
    "MathAdd",
    "(",
    ")",
    "'",
    "{}",
    ",",
    "$",
    ".a",
    "[1]",
    ".b",
    "\\",
    " ",
    "1",
    "x",
]


def outcome(expression):
    """What comes of it: a value, or the name of the failure."""
    try:
        return json.dumps(worked_out(expression, {"a": [1, {"b": "c"}]}, {}))
    except StateFailed as failed:
        return failed.error


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_is_worked_out_to_anything_but_a_value_or_a_failure_of_the_state(text):
    assert outcome(text)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Variable": "$.name", "StringEquals": "night"}, True),
        ({"Variable": "$.name", "StringLessThan": "noon"}, True),
        ({"Variable": "$.name", "StringMatches": "n*t"}, True),
        ({"Variable": "$.name", "StringMatches": "n\\*t"}, False),
        ({"Variable": "$.name", "StringEqualsPath": "$.other"}, False),
        ({"Variable": "$.code", "NumericEquals": 3}, True),
        ({"Variable": "$.code", "NumericGreaterThanEquals": 4}, False),
        ({"Variable": "$.code", "NumericLessThanPath": "$.most"}, True),
        ({"Variable": "$.code", "StringEquals": "3"}, False),
        ({"Variable": "$.good", "BooleanEquals": False}, True),
        ({"Variable": "$.good", "NumericEquals": 0}, False),
        ({"Variable": "$.when", "TimestampLessThan": "2026-11-24T12:00:01Z"}, True),
        ({"Variable": "$.when", "TimestampEquals": "2026-11-24T13:00:00+01:00"}, True),
        ({"Variable": "$.gone", "IsPresent": False}, True),
        ({"Variable": "$.none", "IsNull": True}, True),
        ({"Variable": "$.none", "IsPresent": True}, True),
        ({"Variable": "$.code", "IsNumeric": True}, True),
        ({"Variable": "$.good", "IsNumeric": True}, False),
        ({"Variable": "$.when", "IsTimestamp": True}, True),
        ({"Variable": "$.name", "IsTimestamp": True}, False),
        ({"And": [{"Variable": "$.code", "NumericEquals": 3}, {"Variable": "$.good", "BooleanEquals": True}]}, False),
        ({"Or": [{"Variable": "$.code", "NumericEquals": 3}, {"Variable": "$.good", "BooleanEquals": True}]}, True),
        ({"Not": {"Variable": "$.code", "NumericEquals": 3}}, False),
    ],
)
def test_a_rule_is_true_or_not(rule, expected):
    given = {"name": "night", "other": "day", "code": 3, "most": 5, "good": False, "none": None}
    given["when"] = "2026-11-24T12:00:00Z"
    state = {"Choices": [rule | {"Next": "Yes"}], "Default": "No"}
    assert chosen(state, given, {}) == ("Yes" if expected else "No")


def test_of_two_rules_that_are_true_the_first_is_taken():
    rules = [{"Variable": "$.a", "NumericGreaterThan": least, "Next": str(least)} for least in (5, 1, 0)]
    assert chosen({"Choices": rules}, {"a": 3}, {}) == "1"


@pytest.mark.parametrize(
    ("given", "error", "cause"),
    [
        ({"a": 0}, "States.NoChoiceMatched", "No choice rule matched"),
        ({}, "States.Runtime", "Invalid path '$.a': The choice state's condition path references an invalid value."),
    ],
)
def test_a_choice_that_cannot_be_made_says_why(given, error, cause):
    with pytest.raises(StateFailed) as failed:
        chosen({"Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "x"}]}, given, {})
    assert failed.value.error == error
    assert cause in failed.value.cause


DONE = {"Type": "Succeed"}
ONE_TIME = "Exactly one of 'Seconds', 'SecondsPath', 'Timestamp' and 'TimestampPath'"


@pytest.mark.parametrize(
    ("definition", "fault"),
    [
        ({"States": {"A": DONE}}, "SCHEMA_VALIDATION_FAILED: The field 'StartAt' is required at /"),
        ({"StartAt": "B", "States": {"A": DONE}}, "MISSING_TRANSITION_TARGET: Missing 'StartAt' target: B at /StartAt"),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1}}},
            "SCHEMA_VALIDATION_FAILED: Exactly one of 'Next' and 'End' is required at /States/A",
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Wait", "End": True}}},
            f"SCHEMA_VALIDATION_FAILED: {ONE_TIME} is required at /States/A",
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Task", "End": True}}},
            "SCHEMA_VALIDATION_FAILED: The field 'Resource' is required at /States/A",
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "Catch": [{"Next": "C"}]}}},
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Catch[0]/Next",
        ),
    ],
)
def test_a_definition_that_cannot_run_is_told(definition, fault):
    assert [str(one) for one in faults_of(json.dumps(definition))] == [fault]


def test_a_sound_definition_has_no_faults():
    assert faults_of(json.dumps({"StartAt": "A", "States": {"A": DONE}})) == []
