"""A page of HTML that needs nothing from anywhere else."""

import json
import os
from base64 import b64encode
from errno import EISDIR
from hashlib import sha256
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any

from attrs import field, frozen

from treadle_tracking.atomic import write_file
from treadle_tracking.plots.errors import NoPage

__all__ = ["Page", "built"]

_NOTEBOOK_HEIGHT = 780  # pixels


@frozen
class Page:
    """One HTML file that shows something, also without a network. A notebook shows it where it is the last value of a cell.

    Attributes:
        html: The file's text.
    """

    html: str = field(repr=False)

    def save(self, path: "str | PathLike[str]", *, force: bool = False) -> Path:
        """Write the file, as a whole or not at all. A page of the same kind that was there is replaced.

        Args:
            path: The file, in a directory that is there.
            force: Whether to replace any other file, too.

        Raises:
            NoPage: a file is there that is no such page.
            OSError: it cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(target))
        if not force and target.exists() and not self._is_like(target):
            raise NoPage(target)
        write_file(target, self.html.encode())
        return target

    def _is_like(self, path: Path) -> bool:
        """Whether a file begins as this page does, up to the digest of the script in its policy."""
        beginning, digest, _ = self.html.partition("sha256-")
        expected = (beginning + digest).encode()
        if not digest or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(expected)) == expected

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which a saved notebook keeps and which no other page of the notebook reaches."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox" '
            f'style="width: 100%; height: {_NOTEBOOK_HEIGHT}px; border: 0" loading="lazy"></iframe>'
        )


def built(name: str, scripts: tuple[str, ...], title: str, data: Any) -> Page:
    """The page `name`.html of this package, with its style, its scripts as one, and what they are to show.

    Its policy lets the browser run and load nothing but these: not even what a hostile text might bring.
    """
    style = _part(f"{name}.css")
    script = "\n".join(_part(f"{one}.js") for one in scripts)
    text = Template(_part(f"{name}.html")).substitute(
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"base-uri 'none'; form-action 'none'",
        title=escape(_writable(title)),
        style=style,
        data=_embedded(data),
        script=script,
    )
    return Page(text)


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _writable(text: str) -> str:
    """`text` without halves of surrogate pairs, which a file cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _embedded(data: Any) -> str:
    """`data` as JSON in which nothing can end the element of the page that holds it, or begin a comment there."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
