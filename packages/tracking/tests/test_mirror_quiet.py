"""MLflow without what it does beside its work."""

import logging
from threading import Thread

from treadle_tracking.mirrors.quiet import quiet


def test_pages_of_this_thread_are_kept_back(caplog):
    """What MLflow logs of a failing database in a mirror's thread is not shown; what it logs in others is."""
    logger = logging.getLogger("mlflow.store.db.utils")
    with quiet():
        logger.error("of the mirror")
        thread = Thread(target=logger.error, args=("of the program",))
        thread.start()
        thread.join()
    logger.error("after it")

    assert ["of the program", "after it"] == [record.message for record in caplog.records]
