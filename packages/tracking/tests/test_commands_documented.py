"""The guide's page on the command line: what it shows is what is printed."""

import re
import shlex
from pathlib import Path

import pytest

from treadle_tracking.commands import main

GUIDE = Path(__file__).parents[3] / "docs" / "command-line.md"
PROGRAM = "python -m treadle_tracking "


def sessions():
    """Each block of the page, as pairs of a command and what is below it."""
    if not GUIDE.exists():
        pytest.skip("needs the guide docs/command-line.md")
    blocks = re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    return [re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE) for block in blocks]


def test_what_the_guide_shows_is_what_is_printed(five_runs, tmp_path, capsys):
    """Every command of every block, in order, word for word."""
    shown = printed = ""
    for session in sessions():
        for command, answer in session:
            call, pipe, _ = command.partition(" | ")
            assert call.startswith(PROGRAM)
            main(shlex.split(call.removeprefix(PROGRAM)))
            out, err = capsys.readouterr()
            if pipe:
                continue
            shown += f"$ {command}\n{answer}"
            printed += f"$ {command}\n{out}{err}".replace(str(tmp_path), "/home/me")

    assert shown == printed


def test_the_guide_names_every_command_and_field(five_runs, capsys):
    """What there is in JSON is listed, whole and in order."""
    import json

    sessions()
    text = GUIDE.read_text()
    main(["show", "runs", "3f2a", "--json"])
    fields = [f"`{name}`" for name in json.loads(capsys.readouterr().out)]

    assert ", ".join(fields[:17]) in text
    assert ", ".join(fields[17:23]) in text
    assert ["`min`", "`max`"] == fields[23:]
