"""Values are never code: what is written is read back as the same text, by python-hcl2 and by Terraform itself."""

import itertools
import json
import re

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_runbook.errors import SpecError
from ecs_runbook.terraform import generate, hcl
from ecs_runbook.wanted.spec import Spec

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text('${%}"\\\n', max_size=12)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def said(quoted):
    """What a quoted string of HCL says, by the language's specification; code in it is an error."""
    assert quoted[0] == quoted[-1] == '"', quoted
    pattern = r'\$\$\{|%%\{|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(.)|([$%]\{|")'

    def one(found):
        short, long, escape, code = found.groups()
        assert code is None, f"code in {quoted}"
        if number := short or long:
            return chr(int(number, 16))
        return ESCAPES[escape] if escape else found.group()[1:]

    return re.sub(pattern, one, quoted[1:-1], flags=re.DOTALL)


def plain(value):
    """What python-hcl2 read, with quoted strings as the texts they say."""
    if isinstance(value, dict):
        items = ((key, item) for key, item in value.items() if key != "__is_block__")
        return {said(key) if key.startswith('"') else key: plain(item) for key, item in items}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return said(value) if isinstance(value, str) and value != "null" else value


@settings(deadline=None)
@given(TEXT)
def test_any_text_is_read_back_as_the_same_text(text):
    assert plain(hcl2.loads(f"a = {hcl.text(text)}\n"))["a"] == text


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_text_in_any_field_of_a_spec_is_read_back_as_the_same_text(data):
    kind = data.draw(st.sampled_from(sorted(generate.MODULES)), label="kind")
    taken = {name: field for name, field in Spec.model_fields.items() if name not in generate.NOT_TAKEN[kind]}
    texts = [name for name, field in taken.items() if field.annotation is str]
    fields = {name: data.draw(TEXT.filter(bool), label=name) for name in texts}
    for name in ("command", "subnets", "security_groups"):
        fields[name] = data.draw(st.lists(TEXT, min_size=1, max_size=3), label=name)
    for name in ("environment", "secrets", "tags"):
        fields[name] = data.draw(st.dictionaries(TEXT.filter(bool), TEXT, min_size=1, max_size=3), label=name)
    fields["overrides"] = {"containerOverrides": [{"name": data.draw(TEXT), "command": [data.draw(TEXT)]}]}

    written = generate.root_module(
        Spec.model_construct(kind=kind, **fields), account="111122223333", region="eu-west-2"
    )

    read = plain(hcl2.loads(written)["module"][0])[generate.MODULES[kind]]
    defaults = {name: field.default for name, field in Spec.model_fields.items()}
    expected = {name: value for name, value in fields.items() if name in generate._ALWAYS or value != defaults[name]}
    expected |= {"cpu": 256, "memory": 512, "source": f"./{generate.MODULES[kind]}"}
    expected["tags"] = {"ecs-runbook": fields["name"]} | fields["tags"]
    assert read == expected


def test_terraform_itself_reads_every_short_mix_of_special_characters_as_the_same_text(terraform, tmp_path):
    mixes = ["".join(mix) for size in range(6) for mix in itertools.product('${%}"\\', repeat=size)]
    odd = [
        "\n\r\t",
        "\x00\x1f\x7f",
        "\u2028\ufeff\u202e",
        "😀\U000e0001",
        "<<EOT",
        "${~ x ~}",
        "%{ for",
        "x" * 500,
        "# //",
    ]
    texts = mixes + odd
    outputs = [
        hcl.block("output", "values", {"value": texts}),
        hcl.block("output", "keys", {"value": {text: text for text in texts if text}}),
    ]
    (tmp_path / "main.tf").write_text(hcl.document(*outputs), encoding="utf-8")

    assert terraform("fmt", "-check", "-diff", in_folder=tmp_path).stdout == ""
    applied = terraform("apply", "-auto-approve", in_folder=tmp_path)
    assert applied.returncode == 0, applied.stderr
    read = json.loads(terraform("output", "-json", in_folder=tmp_path).stdout)
    assert read["values"]["value"] == texts
    assert read["keys"]["value"] == {text: text for text in texts if text}


def test_neighbouring_values_are_aligned_and_a_longer_one_starts_anew():
    block = hcl.block("module", "m", {"a": 1, "long": True, "map": {"b": None}, "cc": "x", "d": 0.5})
    assert hcl.document(block).splitlines() == [
        'module "m" {',
        "  a    = 1",
        "  long = true",
        "  map = {",
        "    b = null",
        "  }",
        '  cc = "x"',
        "  d  = 0.5",
        "}",
    ]


def test_keys_that_are_no_names_are_quoted_and_maps_are_sorted():
    written = hcl.document(hcl.block("locals", {"m": {"for": 1, "a.b": 2, "a-b": 3, "${x}": 4, "é": 5}}))
    keys = [line.split("=")[0].strip() for line in written.splitlines()[2:-2]]
    assert keys == ['"$${x}"', "a-b", '"a.b"', '"for"', '"\\u00e9"']


def test_half_a_character_is_refused_by_its_number():
    with pytest.raises(SpecError, match=r"half a character, U\+D800, which no file can hold"):
        hcl.text("a\ud800")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_has_no_form_in_hcl_is_refused(value):
    with pytest.raises(SpecError, match="has no form in HCL"):
        hcl.document(hcl.block("locals", {"a": value}))
