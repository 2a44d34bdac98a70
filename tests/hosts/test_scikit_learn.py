"""The estimator of the page about scikit-learn, as scikit-learn's own checks see it."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs the hosts environment: hatch run hosts:test")

import numpy as np
from sklearn.utils import estimator_checks

pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module")
def network() -> Any:
    page = Path(__file__).parents[2] / "docs/examples/scikit-learn.md"
    found = re.search(
        r'^```python title="network.py"\n(.*?)^```$', page.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    names: dict[str, Any] = {"__name__": "network"}
    exec(found.group(1), names)  # what the page says is what is tested
    return names["Network"]


def test_a_table_is_what_its_numbers_are(network: Any) -> None:
    """A table of pandas is fitted and predicted exactly as the array of its numbers."""
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    inputs = random.standard_normal((60, 3))
    classes = np.array(["a", "b", "c"])[inputs.argmax(1)]
    expected = network(until="3 epochs").fit(inputs, classes).predict_proba(inputs)
    table = pandas.DataFrame(inputs, columns=["x", "y", "z"])
    fitted = network(until="3 epochs").fit(table, pandas.Series(classes))

    assert np.array_equal(expected, fitted.predict_proba(table))
    assert ["x", "y", "z"] == list(fitted.feature_names_in_)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimators_unfitted,
        estimator_checks.check_classifiers_regression_target,
        estimator_checks.check_n_features_in_after_fitting,
        estimator_checks.check_estimators_nan_inf,
    ],
    ids=lambda check: check.__name__,
)
def test_it_is_an_estimator(network: Any, check: Any) -> None:
    """What has not been fitted, is no class, has another width or is NaN: scikit-learn finds nothing amiss."""
    check("Network", network(until="2 epochs"))
