"""`Resolution`: a config together with where every value came from."""

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Generic, Literal, NoReturn, TypeVar

from treadle_config.build import Build
from treadle_config.dump import write
from treadle_config.dump_header import effective
from treadle_config.errors import ConfigError, Problem, UnknownPath
from treadle_config.flatten import flat
from treadle_config.layers import COMMAND_LINE_RANK, Precedence, site_of
from treadle_config.links import holds_links
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import Source, nodes_of

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

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Resolution cannot be pickled, as its schema may hold functions: send its .config, or "
            'what .dump("source") gives, and resolve that there'
        )

    def __repr__(self) -> str:
        return f"Resolution({self.config!r}, precedence={self.precedence!r})"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """The explanation, where this is the last value of a notebook's cell."""
        printer.text(self.explain().rstrip())

    def source(self, path: str) -> Source:
        """Say where a value came from.

        Args:
            path: Dotted, such as `optim.lr`; `layers[0]` is an element, `splits.train` an
                entry. An element of a default list comes from where the list does.

        Raises:
            UnknownPath: It names no value; an object as a whole has no source.
        """
        if not isinstance(path, str):
            raise TypeError(f"source({path!r}): give a dotted path, such as 'optim.lr'")
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
        """Give the order of the layers, then each value and where it came from.

        For a link it says what it reads, and from where; for a value that a weaker layer gave as
        well, which one: `env APP_SEED (over file train.yaml:3)`. If a layer is a dump that was
        written under another policy, it says so at the top.
        """
        from treadle_config.explanation import explanation

        return explanation(self._build, self.precedence, self._flat(), self.source)

    def dump(
        self, values: Literal["source", "resolved"], path: str | os.PathLike[str] | None = None
    ) -> dict[str, Any]:
        """Write the config as plain values, and as a file if a path is given.

        Given to `load` as a layer, it makes an equal config in which links are live: what they
        computed changes when something else is given for what they read.

        Args:
            values: `"source"`: only what a layer gave, so defaults stay defaults and links are left
                out; `"resolved"`: every value. What a link in a code layer computed is written as a
                value, since no file can hold the link.
            path: A `.json`, `.yaml` or `.yml` file, replaced in one move if it exists.

        Returns:
            Dicts, lists, text, numbers, bools and None. The key `treadle-config` holds the
            `precedence`; under `linked`, the paths of what links computed, each of which is kept as
            it is if it was changed since; under `whole`, those of dicts and lists that are
            complete, to which reading adds nothing; and under `secret`, those of secrets that are
            left out and must be given again, since they differ from their defaults.

        Raises:
            MissingExtra: YAML was asked for and PyYAML is not installed.
            DumpError: The suffix is none of those, or the folder does not exist.
            OSError: The file cannot be written; what was there before is still there.
        """
        # Imported here, as below: few programs ask for any of these.
        from treadle_config.resolution_dump import resolved_dump, source_dump

        ways = {"source": source_dump, "resolved": resolved_dump}
        if not isinstance(values, str) or values not in ways:
            raise ValueError(f'dump({values!r}): give "source" or "resolved"')
        dumped = ways[values](self._build, self.precedence)
        if path is not None:
            write(path, dumped)
        return dumped

    def to_argv(self) -> list[str]:
        """Write the config as arguments that, over the defaults alone, make an equal one.

        Secrets are left out, since anyone on a machine may read the arguments of a program; give
        them separately, in an environment variable or in code.

        Raises:
            SchemaError: A field has the name of one of the command line's own flags.
            DumpError: The config holds something that no argument can express.
        """
        from treadle_config.to_argv import to_argv

        build = self._build
        return to_argv(build.schema, build.root, self.config, build.values)

    def replace(self, values: Mapping[str, Any]) -> "Resolution[C]":
        """Resolve again with one more code layer, above all others.

        Links follow what is replaced, unless they were given a value; `attrs.evolve` cannot do
        that.

        Args:
            values: Nested like the schema; a key may also be a dotted path, and a value a link.

        Raises:
            ConfigError: Something in it is wrong.
        """
        frame = sys._getframe(1)  # noqa: SLF001  # the line that the layer is attributed to
        site, build = site_of(frame), self._build
        order = COMMAND_LINE_RANK + 1 + len(build.nodes), site.line
        schema, root, node = build.schema, build.root, nodes_of(values, site.replaced(order=order))
        problems: list[Problem] = []
        with schema.naming(frame.f_locals):
            nodes = [*build.nodes, *effective(schema, root, [node], problems)]
            linking = holds_links(nodes)
            again = Build(schema, root, nodes, problems, trace=True, linking=linking, env=build.env)
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
