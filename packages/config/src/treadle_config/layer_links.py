"""Links that stand for values in layers of code; their paths start at the root.

A link is computed as soon as what it reads is known, and what it gives is laid where the link
stood; then the layers are merged again. So a link's value wins and loses as a plain one would.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from treadle_config.diagnosis import link_failed
from treadle_config.errors import Problem
from treadle_config.fields import is_class
from treadle_config.instances import value_tree
from treadle_config.link_inputs import Inputs, Unreadable
from treadle_config.link_places import Pending, Place, Places, Unknown, links_within
from treadle_config.links import LayerLink, declares, link_of, linked_of
from treadle_config.paths import known_paths, locate
from treadle_config.plans import Choice, Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import BAD, Computed, Node, Source, join, nodes_of, shown

if TYPE_CHECKING:
    from treadle_config.build import Build

_Behind = Mapping[Pending, Mapping[Pending, tuple[str, ...]]]
"""For each link those that it follows, each with the paths that lead to it."""


class LayerLinks:
    """Follows the links in the layers of one build."""

    def __init__(self, build: "Build") -> None:
        self._build = build
        self._gave: dict[LayerLink, Node] = {}
        self._failed: dict[LayerLink, str] = {}
        self._problems: list[Problem] = []

    def followed(self) -> Node | None:
        """The merged tree, with what the links give in their place, and problems reported."""
        build = self._build
        for node in build.nodes:
            _mark(node, "", build.problems)
        self._check_paths()
        while True:
            known = len(build.problems)
            tree = build.merged([self._filled(node) for node in build.nodes])
            if tree is None:
                return None
            places = Places(build.schema, build.root, tree, self._hidden(tree))
            waiting = [one for one in places.pending if one.node.content not in self._failed]
            if not waiting:
                break
            # Whatever is wrong is found again by the last merge.
            del build.problems[known:]
            self._follow(places, waiting)
        build.problems += self._problems
        self._note_overridden(tree)
        return self._without_failed(tree, "") if self._failed else tree

    def _check_paths(self) -> None:
        """Report paths that no class has, also those of links that a stronger value replaces."""
        schema, root = self._build.schema, self._build.root
        for path, node in self._of_layers():
            content = node.content
            for target in content.link.paths:
                if locate(schema, root, target.split("."), str) is None:
                    hint = did_you_mean(nearest_path(target, known_paths(schema, root)))
                    one = Pending(path, node, None)
                    self._fail(one, _unknown(one, Unknown(target, hint)))
                    break

    def _follow(self, places: Places, waiting: Iterable[Pending]) -> None:
        """Check all the links that wait, then compute those that need none of the others."""
        reads: dict[Pending, list[Place]] = {}
        for one in waiting:
            if one.plan is None:
                wanted, hint = f"plain values within {one.whole}", "link the whole of it"
                self._fail(one, Problem(one.path, one.node.source, "a link", wanted, hint))
                continue
            try:
                reads[one] = [places.at(target) for target in one.link.paths]
            except Unknown as unknown:
                self._fail(one, _unknown(one, unknown))
        behind = {one: places.behind(read) for one, read in reads.items()}
        self._fail_circles(behind)
        inputs = Inputs(self._build, places)
        for one, others in behind.items():
            if one.node.content in self._failed:
                continue
            if any(other.node.content in self._failed for other in others):
                self._fail(one)  # with no problem of its own
            elif not others:
                self._compute(inputs, one, reads[one])

    def _compute(self, inputs: Inputs, one: Pending, read: Iterable[Place]) -> None:
        source = one.node.source.replaced(kind="link")
        try:
            values = [inputs.value(place) for place in read]
        except Unknown as unknown:
            self._fail(one, _unknown(one, unknown))
            return
        except Unreadable:
            self._fail(one)
            return
        try:
            value = one.link.compute(*values)
        except Exception as error:  # noqa: BLE001  # the user's function
            self._fail(one, link_failed(one.path, error, source))
            return
        assert one.plan is not None
        node = _node_of(self._build.schema, one.plan, value, source)
        if one.whole and isinstance(node.content, Computed):
            # A stronger layer says a part of it, so that it would not be looked at.
            self._fail(one, Problem(one.path, source, shown(value), one.plan.expected))
            return
        self._gave[one.node.content] = node
        self._build.defaults.inputs[one.path] = one.link.paths

    def _fail(self, one: Pending, problem: Problem | None = None) -> None:
        self._failed[one.node.content] = ""
        if problem is not None:
            # What a stronger layer says of a part is no whole; that is not another problem.
            self._failed[one.node.content] = one.whole
            self._problems.append(problem)

    def _fail_circles(self, behind: _Behind) -> None:
        done: set[Pending] = set()

        def visit(one: Pending, chain: tuple[Pending, ...]) -> None:
            if one in chain:
                self._fail(one, _circle(chain[chain.index(one) :], behind))
            elif one not in done:
                for other in behind.get(one, ()):
                    visit(other, (*chain, one))
                done.add(one)

        for one in behind:
            visit(one, ())

    def _filled(self, node: Node) -> Node:
        """A layer, with what its links gave in their place."""
        content = node.content
        if isinstance(content, LayerLink):
            return self._gave.get(content, node)
        if isinstance(content, dict):
            filled = {key: self._filled(child) for key, child in content.items()}
            return Node(filled, node.source, replaces=node.replaces)
        if isinstance(content, list):
            return Node([self._filled(child) for child in content], node.source)
        return node

    def _hidden(self, tree: Node) -> dict[str, Node]:
        """The links below which a stronger layer says something, by path."""
        found = {}
        for path, node in self._of_layers():
            here = _at(tree, path)
            if here is None or isinstance(here.content, LayerLink):
                continue
            if node.content not in self._gave:
                found[path] = node  # the strongest one of a path is the last
        return found

    def _of_layers(self) -> Iterator[tuple[str, Node]]:
        for layer in self._build.nodes:
            yield from links_within(layer, "")

    def _note_overridden(self, tree: Node) -> None:
        for path, _ in self._of_layers():
            here = _at(tree, path)
            if here is None or isinstance(here.content, dict | LayerLink):
                continue
            if here.source.kind != "link":
                self._build.defaults.overridden.add(path)

    def _without_failed(self, node: Node, path: str) -> Node:
        """The tree, with `BAD` where a link has failed."""
        content = node.content
        if isinstance(content, LayerLink):
            return Node(Computed(BAD), node.source) if content in self._failed else node
        if path and path in self._failed.values():
            return Node(Computed(BAD), node.source)
        if isinstance(content, dict):
            entries = content.items()
            kept = {key: self._without_failed(child, join(path, key)) for key, child in entries}
            return Node(kept, node.source, replaces=node.replaces)
        if isinstance(content, list):
            inside = enumerate(content)
            items = [self._without_failed(child, f"{path}[{index}]") for index, child in inside]
            return Node(items, node.source)
        return node


def _node_of(schema: Schema, plan: Plan, value: Any, source: Source) -> Node:
    """What a link gave, as a layer would have it; a value that is no container stays as it is."""
    if isinstance(plan.mapping, Choice) and isinstance(value, Mapping):
        return nodes_of(value, source)
    contains = is_class(type(value)) or isinstance(value, list | tuple | set | frozenset | dict)
    if contains and plan.accepts(value) and not plan.is_scalar:
        return value_tree(schema, plan, value, source)
    return Node(Computed(value), source)


def _unknown(one: Pending, unknown: Unknown) -> Problem:
    got = f"a link that reads {unknown.path!r}"
    return Problem(one.path, one.node.source, got, "a link to fields of the config", unknown.hint)


def _circle(circle: tuple[Pending, ...], behind: _Behind) -> Problem:
    first = circle[0]
    steps = [first.path]
    for here, there in zip(circle, (*circle[1:], first), strict=True):
        # A link stands at a place, which is not another step.
        steps += [one for one in behind[here][there] if one != there.path] + [there.path]
    got, hint = f"the circle {' -> '.join(steps)}", "give one of them a value instead"
    return Problem(first.path, first.node.source, got, "links that do not read each other", hint)


def _at(tree: Node, path: str) -> Node | None:
    node: Node | None = tree
    for key in path.split("."):
        if node is None or not isinstance(node.content, dict):
            return None
        node = node.content.get(key)
    return node


def _mark(node: Node, path: str, problems: list[Problem]) -> None:
    """Put links in the place of the field declarations that `link` gives."""
    content = node.content
    if isinstance(content, tuple) and any(map(declares, content)):
        content = node.content = [Node(one, node.source) for one in content]
    if isinstance(content, dict):
        for key, child in content.items():
            _mark(child, join(path, key), problems)
    elif isinstance(content, list):
        for index, child in enumerate(content):
            _mark(child, f"{path}[{index}]", problems)
    elif declares(content):
        node.content = _link_in(node, path, problems)


def _link_in(node: Node, path: str, problems: list[Problem]) -> LayerLink | Computed:
    content = node.content
    link = link_of(content.metadata)
    if link is not None and not link.field_arguments:
        return LayerLink(link)
    got, hint = "an attrs field", ""
    if link is not None:
        got = f"a link with {link.field_arguments[0]}="
        hint = "the arguments of a field are given in its class"
    elif linked_of(content.metadata) is not None:
        got = "linked(...)"
        hint = "give a mapping, with a link for each field that follows others"
    problems.append(Problem(path, node.source, got, "a value or link(fn, path, ...)", hint))
    return Computed(BAD)
