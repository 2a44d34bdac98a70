"""The schema as someone would have written it for another system.

The text of `schema.py` with another decorator and other words for defaults, as modules with a
source, since some systems read a class's comments from there.
"""

import re
from pathlib import Path

import schema

MADE_ANEW = re.compile(r"= Factory\((.*)\)$", re.MULTILINE)
NESTED = re.compile(r": (\w+) = \1\(\)$", re.MULTILINE)
OPTIONAL = re.compile(r"(\w+) \| None")
CLASS = re.compile(r"@frozen\nclass (\w+):")

KINDS = {
    "dataclass_schema": ("from dataclasses import dataclass, field", r"@dataclass\nclass \1:", ""),
    "chz_schema": ("import chz", r"@chz.chz\nclass \1:", "chz."),
    "pydantic_schema": ("from pydantic import BaseModel, Field", r"class \1(BaseModel):", ""),
}


def write_all(folder: Path) -> None:
    """Write a module for each kind of class."""
    text = Path(schema.__file__).read_text(encoding="utf-8").partition("\nFILE = ")[0]
    for name, (imported, opening, prefix) in KINDS.items():
        field = "Field" if name == "pydantic_schema" else f"{prefix}field"
        own = text.replace("from attrs import Factory, frozen", imported)
        if name == "dataclass_schema":
            # As pyrallis has it; to the others it is the same.
            own = OPTIONAL.sub(r"Optional[\1]", own).replace("import Any", "import Any, Optional")
        own = MADE_ANEW.sub(rf"= {field}(default_factory=\1)", own)
        own = NESTED.sub(rf": \1 = {field}(default_factory=\1)", own)
        (folder / f"{name}.py").write_text(CLASS.sub(opening, own), encoding="utf-8")
