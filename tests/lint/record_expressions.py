"""
Ask the real Terraform what expressions are, and write its answers down: ``python tests/lint/record_expressions.py``.

Each is an output of its own. What Terraform refuses before it works anything out, is taken away, and noted as REFUSED.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

FILE = Path(__file__).parent / "recorded" / "expressions.json"


def answers(expressions):
    refused = set()
    with tempfile.TemporaryDirectory() as folder:
        while True:
            for number, expression in enumerate(expressions):
                output = f'output "e{number}" {{\n  value = try(jsonencode({{ told = {expression} }}), "ERROR")\n}}\n'
                Path(folder, f"e{number}.tf").write_text("" if number in refused else output)
            terraform(folder, "init")
            said = terraform(folder, "apply", "-auto-approve", "-no-color")
            if said.returncode == 0:
                break
            wrong = set(map(int, re.findall(r"on e(\d+)\.tf", said.stderr)))
            assert wrong, said.stderr
            refused |= wrong
        told = json.loads(terraform(folder, "output", "-json").stdout)
    return {
        one: "REFUSED" if number in refused else told[f"e{number}"]["value"] for number, one in enumerate(expressions)
    }


def terraform(folder, *command):
    return subprocess.run(["terraform", *command], cwd=folder, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    FILE.write_text(json.dumps(answers(list(json.loads(FILE.read_text()))), indent=0, ensure_ascii=False) + "\n")
