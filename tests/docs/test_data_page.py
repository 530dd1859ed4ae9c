"""The examples of docs/data.md run in order and print what is shown after them."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_examples_print_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text(), flags=re.S)
    assert len(examples) == PAGE.read_text().count("```python") == 6
    names = {}
    for code, shown in examples:
        exec(compile(code, PAGE.name, "exec"), names)
        assert capsys.readouterr().out == shown
