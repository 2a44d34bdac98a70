"""The tag by which a run is found again, and how it is asked for."""

import re

__all__ = ["UID_TAG", "uid_filter"]

UID_TAG = "treadle.uid"


def uid_filter(uid: str) -> str:
    """A filter for MLflow's search that finds every run of this uid, and perhaps some of another.

    MLflow's filters have no escapes: whatever might end the quotes is matched by anything.
    """
    pattern = re.sub(r"[^A-Za-z0-9\-]", "_", uid)
    return f"tags.`{UID_TAG}` LIKE '{pattern}'"
