"""What a deleted experiment's message says to type."""

from treadle_tracking.mirrors.errors import ExperimentDeleted


def test_a_deleted_experiment_of_a_server_is_removed_on_its_database():
    """A server's own database, which only its keeper knows, is left to be filled in; so is a password."""
    actual = str(ExperimentDeleted("a b", "1", "mlflow:http://***@h:5000"))

    assert (
        "the experiment 'a b' is deleted at mlflow:http://***@h:5000, and MLflow keeps its name taken: bring it back "
        "with `MLFLOW_TRACKING_URI=http://USER:PASSWORD@h:5000 mlflow experiments restore -x 1`, or remove it with "
        "`MLFLOW_TRACKING_URI=http://USER:PASSWORD@h:5000 mlflow gc --backend-store-uri DATABASE_OF_THE_SERVER "
        "--experiment-ids 1`"
    ) == actual
