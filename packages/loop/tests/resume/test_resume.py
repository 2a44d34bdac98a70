"""A training that is resumed comes to what it would have come to, to the last bit."""

import pytest


@pytest.mark.parametrize("body", ["nothing", "draws", "validates"])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_every_update_can_be_resumed_from(training, outcome_from, kind, accumulate, body):
    """Weights, optimizer, scheduler, averages, random states and records are those without a stop."""
    training = training.but(kind=kind, accumulate=accumulate, body=body)
    run = training.begin()
    states = run.states()
    whole = run.outcome()

    differing = [
        number for number, state in enumerate(states) if not outcome_from(training, state, whole)
    ]

    assert {1: 14, 3: 6}[accumulate] == len(states)
    assert [] == differing
