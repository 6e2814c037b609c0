"""What a user would write instead: an empty FastAPI echo, and FastAPI over a scikit-learn pipeline."""

import os

from fastapi import FastAPI
from pydantic import BaseModel


class Request(BaseModel):
    message: str


class Echo(BaseModel):
    message: str


class Answer(BaseModel):
    prediction: str
    confidence: float


def create_echo() -> FastAPI:
    """`async def`, pydantic in and out, nothing else."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> Echo:
        return Echo(message=request.message)

    return app


def create_pipeline() -> FastAPI:
    """`def` over the pipeline in the file that BENCHMARK_PIPELINE names, as most tutorials have it."""
    import joblib

    pipeline = joblib.load(os.environ["BENCHMARK_PIPELINE"])
    app = FastAPI()

    @app.post("/predict")
    def predict(request: Request) -> Answer:
        spam = float(pipeline.predict_proba([request.message])[0][1])
        return Answer(prediction="spam" if spam >= 0.5 else "ham", confidence=max(spam, 1 - spam))

    return app
