"""Ray Tune: each trial records its own run, below one for the sweep, and only what the user logs.

```python
from ray import tune
from treadle.integrations.ray import Sweep

with Sweep("mlflow:sqlite:///mlflow.db", experiment="digits", name="rates") as sweep:
    tuner = sweep.tuner(
        main,  # as for treadle.launch
        {"optim.lr": tune.loguniform(1e-4, 1e-1)},
        tune_config=tune.TuneConfig(metric="val/loss", mode="min", num_samples=8),
    )
    results = tuner.fit()
```

Ray is imported when a sweep needs it, and not before.
"""

from treadle.integrations.ray.reports import report
from treadle.integrations.ray.searches import check_search, space
from treadle.integrations.ray.sweeps import Sweep

__all__ = ["Sweep", "check_search", "report", "space"]
