"""What a registered version answers when MLflow loads it: the plain artefact behind a typed `predict`.

MLflow copies this file into each version and runs it on loading ("models from code"), so nothing is pickled. The type
of `model_input` becomes the version's signature; with an inferred one MLflow would hand over a table, and a model of
texts would answer for the name of its column.
"""

from pathlib import Path

import pydantic
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from autoretrain.ml.linear import LinearModel


class Answer(pydantic.BaseModel):
    """`prediction` is spam or ham, `score` the calibrated probability of spam."""

    prediction: str
    score: float


class SpamClassifier(PythonModel):  # type: ignore[misc]  # MLflow is not analysed
    """MLflow calls both methods with keywords: the parameters' names are part of its interface."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model = LinearModel.load(Path(context.artifacts["model"]).read_bytes())

    def predict(self, context: PythonModelContext, model_input: list[str]) -> list[Answer]:
        scores = self.model.scores(model_input)
        return [Answer(prediction=self.model.label_of(score)[0].value, score=score) for score in scores]


set_model(SpamClassifier())
