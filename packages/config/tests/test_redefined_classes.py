"""Classes that are defined again, as a cell of a notebook does when it is run again."""

from attrs import frozen

from treadle_config import load


@frozen
class Base:
    lr: float = 1.0


@frozen
class Config:
    optim: Base = Base()


def cell(momentum):
    """Define a subclass."""
    start = momentum

    @frozen
    class Fancy(Base):
        momentum: float = start

    return Fancy


def test_of_a_class_that_is_defined_again_the_newest_is_meant():
    """By its tag; the older ones may be alive."""
    older = cell(0.5)
    newest = cell(0.9)

    actual = load(Config, {"optim": {"type": "fancy"}}).optim

    assert (newest(), True) == (actual, older is not newest)


def test_an_older_class_can_be_given():
    """As an instance, which says its class itself."""
    older, _ = cell(0.5), cell(0.9)

    actual = load(Config, {"optim": older(2.0)}, argv=["--optim.momentum", "3"]).optim

    assert older(2.0, 3.0) == actual


def test_two_classes_of_one_name_in_different_places_share_a_tag(said):
    """Nobody knows which of them is meant."""

    @frozen
    class Twin(Base):
        pass

    first = Twin

    def elsewhere():
        @frozen
        class Twin(Base):
            pass

        return Twin

    classes = first, elsewhere()

    actual = said(load, Config, {"optim": {"type": "twin"}})

    assert (2, True) == (len(classes), "Twin share it; give one its own with" in actual[0])
