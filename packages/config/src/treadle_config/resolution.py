"""`Resolution`: a config together with where every value came from."""

import re
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Generic, Literal, TypeVar

from treadle_config.build import Build
from treadle_config.encode import encoded
from treadle_config.errors import UnknownPath
from treadle_config.explanation import as_text, explained
from treadle_config.flatten import flat
from treadle_config.layers import COMMAND_LINE_RANK, ORDERS, Precedence, site_of
from treadle_config.plans import Choice, Dictionary, Plan, mapping_of
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tags import TAG_KEY
from treadle_config.tree import Node, Source, join, nodes_of

C = TypeVar("C")

_NOT_WRITTEN = ("default", "link")


class Resolution(Generic[C]):
    """What `resolve` found: the config, and where every value came from.

    Attributes:
        config: The config, an instance of the schema.
        precedence: The policy by which layers were ordered.
    """

    def __init__(
        self,
        config: C,
        build: Build,
        root: Choice,
        precedence: Precedence,
        nodes: list[Node],
        *,
        again: Callable[[list[Node], FrameType], "Resolution[C]"],
    ) -> None:
        self.config = config
        self.precedence = precedence
        self._build = build
        self._root = root
        self._nodes = nodes
        self._again = again

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
        written: dict[str, Any] = encoded(self._build.schema, self._root, self.config)
        if values == "resolved":
            return written
        if values != "source":
            raise ValueError(f'dump({values!r}): give "source" or "resolved"')
        return self._explicit(self._root, self.config, written, "") or {}

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
        site = site_of(frame)
        rank = COMMAND_LINE_RANK + 1 + len(self._nodes)
        source = Source("code", site.name, site.line, order=(rank, site.line))
        return self._again([*self._nodes, nodes_of(dict(values), source)], frame)

    def _flat(self) -> dict[str, Any]:
        return dict(flat(self._build.schema, self._root, self.config, ""))

    def _unknown(self, path: str) -> UnknownPath:
        known = self._flat()
        if any(one.startswith(f"{path}.") for one in known):
            return UnknownPath(f"{path!r} is an object; ask for one of its values")
        best = nearest_path(path, known)
        said = f"{path!r} is no value of {type(self.config).__name__}"
        return UnknownPath(f"{said}; {did_you_mean(best)}" if best else said)

    def _explicit(self, plan: Plan, value: Any, written: Any, path: str) -> Any:
        """The part of what is written that a layer gave; `None` if there is none."""
        mapping = mapping_of(plan)
        if isinstance(mapping, Choice) and isinstance(value, mapping.classes):
            found = {}
            for key, field in self._build.schema.of_class(type(value)).fields.items():
                below = join(path, key)
                if self._is_explicit(below, field.plan, getattr(value, field.name)):
                    inner = getattr(value, field.name)
                    found[key] = self._explicit(field.plan, inner, written[key], below)
            if TAG_KEY in written and self._is_written(join(path, TAG_KEY)):
                found = {TAG_KEY: written[TAG_KEY], **found}
            return found
        if isinstance(mapping, Dictionary) and isinstance(value, dict):
            kept = {}
            for (text, child), inner in zip(written.items(), value.values(), strict=True):
                below = join(path, text)
                if self._is_explicit(below, mapping.value, inner):
                    kept[text] = self._explicit(mapping.value, inner, child, below)
            return kept
        return written

    def _is_explicit(self, path: str, plan: Plan, value: Any) -> bool:
        if isinstance(mapping_of(plan), Choice) or isinstance(value, list | tuple | dict):
            return any(
                source.kind not in _NOT_WRITTEN
                for one, source in self._build.sources.items()
                if one == path or one.startswith((f"{path}.", f"{path}["))
            )
        return self._is_written(path)

    def _is_written(self, path: str) -> bool:
        source = self._build.sources.get(path)
        return source is not None and source.kind not in _NOT_WRITTEN
