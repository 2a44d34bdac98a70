"""What a link in a layer reads, and what that goes through."""

from attrs import Factory, field, frozen

from treadle_config import link, linked, load


def test_a_link_of_one_field_may_read_another_of_the_same_object(schemas):
    """Only what it reads is read early, and not the object that holds both."""
    actual = load(
        schemas.Config, {"data": {"workers": link(lambda size: size // 8, "data.batch_size")}}
    )

    assert schemas.Config(data=schemas.Data(workers=4)) == actual


def test_only_what_a_link_reads_is_read_early(schemas, said):
    """A bad value elsewhere is one problem, and one that is read is no second one."""
    follows = {"data.workers": link(lambda size: 64 // size, "data.batch_size")}

    actual = [
        said(load, schemas.Config, follows, argv=["--seed", "x"]),
        said(load, schemas.Config, follows, argv=["--data.batch-size", "x"]),
        said(load, schemas.Config, follows, argv=["--data.batch-size", "0"]),
    ]

    assert [
        ["seed (cli --seed): expected int | null, got x"],
        ["data.batch_size (cli --data.batch-size): expected int, got x"],
        [
            (
                "data.batch_size (cli --data.batch-size): expected a value that its validator takes, "
                "got 0; 'batch_size' must be > 0: 0"
            )
        ],
    ] == actual


def test_a_missing_input_is_the_only_problem(said):
    """So is an input of a link that reads that link."""

    @frozen
    class Needs:
        size: int
        half: int = 1
        quarter: int = 1

    follows = {"half": link(lambda a: a // 2, "size"), "quarter": link(lambda a: a // 2, "half")}

    assert [
        (
            "size: expected int, got nothing; it has no default; "
            "give it in a file, in code, or as --size"
        )
    ] == said(load, Needs, follows)


def test_a_path_may_lead_to_the_class_that_another_layer_chooses(schemas):
    """Paths are checked after the merge."""
    follows = {"optim.lr": link(lambda momentum: momentum / 9, "optim.momentum")}

    actual = load(schemas.Config, follows, argv=["--optim.type", "sgd"])

    assert schemas.SGD(lr=0.1, momentum=0.9) == actual.optim


def test_a_link_reads_what_converters_and_defaults_make():
    """A default, a decorated default, a converted value, and a private field by its alias."""

    @frozen
    class Inner:
        width: int = field(default="4", converter=int)
        _depth: int = 3
        area: int = field()

        @area.default
        def _area(self):
            return self.width * self._depth

    @frozen
    class Outer:
        inner: Inner = Inner()
        seen: list[int] = Factory(list)

    follows = {
        "seen": link(lambda *all_of_it: list(all_of_it), "inner.width", "inner.depth", "inner.area")
    }

    actual = [load(Outer, follows).seen, load(Outer, follows, {"inner.width": "5"}).seen]

    assert [[4, 3, 12], [5, 3, 15]] == actual


def test_a_link_goes_through_the_converter_of_its_field():
    """And not through decoding."""

    @frozen
    class Converted:
        size: int = 64
        text: str = field(default="", converter=str)

    assert Converted(64, "64") == load(Converted, {"text": link(lambda size: size, "size")})


def test_a_link_reads_through_linked_and_decorated_defaults(schemas):
    """A field of an object that follows others itself, as a leaf and within the whole."""

    @frozen
    class Follows:
        size: int = 32
        optim: schemas.Adam | schemas.SGD = linked(schemas.Adam, lr=link(float, "size"))
        data: schemas.Data = field()
        copies: list[float] = Factory(list)
        whole: float = 0.0

        @data.default
        def _data(self):
            return schemas.Data(batch_size=self.size)

    follows = {
        "size": link(lambda: 8),
        "data.workers": 5,
        "copies": link(lambda lr, size: [lr, size], "optim.lr", "data.batch_size"),
        "whole": link(lambda optim, data: optim.lr + data.batch_size, "optim", "data"),
    }

    actual = load(Follows, follows)

    assert Follows(8, schemas.Adam(lr=8.0), schemas.Data(8, 5), [8.0, 8], 16.0) == actual


def test_a_link_does_not_read_a_link_of_another_subtype(schemas):
    """`linked` holds for the class that it names."""

    @frozen
    class Follows:
        size: int = 32
        optim: schemas.Adam | schemas.SGD = linked(schemas.Adam, lr=link(float, "size"))
        seen: list[float] = Factory(list)

    follows = {"seen": link(lambda lr, optim: [lr, optim.lr], "optim.lr", "optim")}

    actual = [load(Follows, follows, argv=argv).seen for argv in ([], ["--optim.type", "sgd"])]

    assert [[32.0, 32.0], [0.1, 0.1]] == actual


def test_a_validator_that_looks_at_other_fields_stands_in_no_links_way():
    """It is asked when they are there."""

    @frozen
    class Ordered:
        low: int = 1
        high: int = field(default=2)
        span: int = 0

        @high.validator
        def _above(self, _attribute, value):
            if value < self.low:
                raise ValueError("high is below low")

    assert Ordered(span=2) == load(Ordered, {"span": link(lambda high: high, "high")})


def test_a_link_never_shares_what_it_reads():
    """A list that goes from one field to another is another list."""

    @frozen
    class Two:
        a: list[int] = Factory(lambda: [1])
        b: list[int] = Factory(list)

    actual = load(Two, {"b": link(lambda a: a, "a")})
    actual.b.append(2)

    assert Two([1], [1, 2]) == actual
