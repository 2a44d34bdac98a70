"""`Resolution`: a config together with where every value came from."""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar

from attrs import evolve

from treadle_config.build import Build
from treadle_config.encode import encoded
from treadle_config.errors import ConfigError, UnknownPath
from treadle_config.explanation import as_text, explained
from treadle_config.flatten import flat
from treadle_config.layers import COMMAND_LINE_RANK, ORDERS, Precedence, site_of
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import Source, join, nodes_of

C = TypeVar("C")


class Resolution(Generic[C]):
    """What `resolve` found: the config, and where every value came from.

    Attributes:
        config: The config, an instance of the schema.
        precedence: The policy by which layers were ordered.
    """

    def __init__(self, build: Build, precedence: Precedence) -> None:
        if build.problems:
            raise ConfigError(build.problems)
        self.config: C = build.made
        self.precedence = precedence
        self._build = build

    def __repr__(self) -> str:
        return f"Resolution({self.config!r}, precedence={self.precedence!r})"

    def source(self, path: str) -> Source:
        """Say where a value came from.

        Args:
            path: Dotted, such as `optim.lr`; `layers[0]` is an element, `splits.train` an
                entry. An element of a default list comes from where the list does.

        Raises:
            UnknownPath: It names no value; an object as a whole comes from nowhere.
        """
        sources = self._build.sources
        place = path
        while place not in sources:
            container = re.fullmatch(r"(.*)(?:\[\d+\]|\.[^.\[\]]+)", place)
            if container is None:
                raise self._unknown(path)
            place = container.group(1)
        if place != path and path not in self._flat():
            value = self._build.values.get(place)
            index = re.fullmatch(r"\[(\d+)\]", path[len(place) :])
            inside = index and isinstance(value, list | tuple) and int(index[1]) < len(value)
            if not inside:
                raise self._unknown(path)
        return sources[place]

    def explain(self) -> str:
        """Say the order of the layers, then each value and the layer it came from."""
        order = " < ".join(ORDERS[self.precedence])
        rows = []
        for path, value in self._flat().items():
            source = self.source(path)
            said = str(source)
            if inputs := self._build.defaults.inputs.get(path):
                said = f"{said} from {', '.join(inputs)}"
            elif path in self._build.defaults.overridden:
                said = f"{said} (instead of its link)"
            rows.append((path, as_text(value), said))
        return explained(f"precedence {self.precedence}: {order}", rows)

    def dump(self, values: Literal["source", "resolved"]) -> dict[str, Any]:
        """Write the config as plain values.

        Args:
            values: `"source"`: only what a layer said, so that links stay live and defaults
                stay defaults; `"resolved"`: every value, as `treadle_config.dump` has them.

        Returns:
            Dicts, lists, text, numbers, bools and None; given to `load` as a layer it makes
            an equal config.
        """
        written: dict[str, Any] = encoded(self._build.schema, self._build.root, self.config)
        if values == "resolved":
            return written
        if values != "source":
            raise ValueError(f'dump({values!r}): give "source" or "resolved"')
        said = [
            path
            for path, source in self._build.sources.items()
            if source.kind not in ("default", "link")
        ]
        part: dict[str, Any] = _part(written, "", _prefixes(self._build.sources), _prefixes(said))
        return part

    def replace(self, values: Mapping[str, Any]) -> "Resolution[C]":
        """Resolve again with one more code layer, above all others.

        Links follow what is replaced, unless something gave them a value; that is what
        `attrs.evolve` cannot do.

        Args:
            values: Nested like the schema; a key may also be a dotted path.

        Raises:
            ConfigError: Something in it is wrong.
        """
        frame = sys._getframe(1)  # noqa: SLF001  # the line that the layer is attributed to
        site, build = site_of(frame), self._build
        order = COMMAND_LINE_RANK + 1 + len(build.nodes), site.line
        node = nodes_of(values, evolve(site, order=order))
        with build.schema.naming(frame.f_locals):
            again = Build(build.schema, build.root, [*build.nodes, node], [])
        return Resolution(again, self.precedence)

    def _flat(self) -> dict[str, Any]:
        return dict(flat(self._build.schema, self._build.root, self.config, ""))

    def _unknown(self, path: str) -> UnknownPath:
        known = self._flat()
        if any(one.startswith(f"{path}.") for one in known):
            return UnknownPath(f"{path!r} is an object; ask for one of its values")
        best = nearest_path(path, known)
        said = f"{path!r} is no value of {type(self.config).__name__}"
        return UnknownPath(f"{said}; {did_you_mean(best)}" if best else said)


def _prefixes(paths: Iterable[str]) -> set[str]:
    """Paths, and those of all that holds them."""
    found = set(paths)
    for path in paths:
        found.update(path[: end.start()] for end in re.finditer(r"[.\[]", path))
    return found


def _part(written: Any, path: str, known: set[str], kept: set[str]) -> Any:
    """What is written, without what is known to have a path and is not to be kept."""
    if not isinstance(written, dict) or not any(join(path, key) in known for key in written):
        return written
    return {
        key: _part(one, join(path, key), known, kept)
        for key, one in written.items()
        if join(path, key) in kept
    }
