"""Which version is to be served, since when, and the artefacts it is made of."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select
from sqlalchemy import func as sql

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import ARTEFACTS, DEPLOYMENTS
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact


class Artefacts(Part):
    """Small plain models by version and digest, so that serving starts without the registry."""

    def put_artefact(self, artefact: ModelArtefact) -> None:
        """Keep `artefact` in place of what its version had."""
        row = {
            "model": self._model,
            "version": artefact.version,
            "digest": artefact.digest,
            "run_id": artefact.run_id,
            "artefact": artefact.model,
            "reference": artefact.reference,
            "card": artefact.card,
        }
        with self._database.write("artefacts", self._model) as connection:
            connection.execute(
                delete(ARTEFACTS).where(ARTEFACTS.c.model == self._model, ARTEFACTS.c.version == artefact.version)
            )
            connection.execute(insert(ARTEFACTS), [row])

    def artefact(self, digest: str) -> ModelArtefact | None:
        """The artefact of that digest; of the version put last where several have the same."""
        return self._artefact(select(ARTEFACTS).where(ARTEFACTS.c.digest == digest))

    def artefact_by_version(self, version: str) -> ModelArtefact | None:
        return self._artefact(select(ARTEFACTS).where(ARTEFACTS.c.version == version))

    def prune_artefacts(self, keep: set[str], *, spare_newer: bool = False) -> int:
        """Delete every artefact whose digest is not in `keep` and return how many that were.

        With `spare_newer` those stay that were put after all of `keep`; with nothing kept these are all.
        """
        unwanted = delete(ARTEFACTS).where(ARTEFACTS.c.model == self._model, ARTEFACTS.c.digest.not_in(sorted(keep)))
        if spare_newer:
            kept = (ARTEFACTS.c.model == self._model) & ARTEFACTS.c.digest.in_(sorted(keep))
            newest = select(sql.max(ARTEFACTS.c.sequence)).where(kept).scalar_subquery()
            unwanted = unwanted.where(ARTEFACTS.c.sequence < newest)
        with self._database.write("artefacts", self._model) as connection:
            return connection.execute(unwanted).rowcount

    def _artefact(self, query: Select[Any]) -> ModelArtefact | None:
        query = query.where(ARTEFACTS.c.model == self._model).order_by(ARTEFACTS.c.sequence.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return ModelArtefact(
            version=row.version,
            digest=row.digest,
            run_id=row.run_id,
            model=row.artefact,
            reference=row.reference,
            card=row.card,
        )


class Deployments(Part):
    """The history of what was to be served; its newest row holds."""

    def deployment(self) -> Deployment | None:
        with self._database.read() as connection:
            return self._newest(connection)

    def deploy(self, deployment: Deployment, *, at: datetime | None = None) -> Deployment:
        """Let `deployment` hold from `at` (default: now) and return it with its revision.

        The given revision does not matter: the store's rises by one when something changed, else nothing happens.
        """
        with self._database.write("deployment", self._model) as connection:
            newest = self._newest(connection)
            revision = newest.revision if newest else 0
            if newest == replace(deployment, revision=revision):
                return newest
            experiment = deployment.experiment
            row = {
                "model": self._model,
                "revision": revision + 1,
                "version": deployment.version,
                "digest": deployment.digest,
                "experiment": None if experiment is None else json.dumps(dump_record(experiment)),
                "at": at or datetime.now(UTC),
            }
            connection.execute(insert(DEPLOYMENTS), [row])
        return replace(deployment, revision=revision + 1)

    def served_at(self, at: datetime) -> Deployment | None:
        """What was to be served at that moment."""
        with self._database.read() as connection:
            return self._newest(connection, until=at)

    def _newest(self, connection: Connection, *, until: datetime | None = None) -> Deployment | None:
        query = select(DEPLOYMENTS).where(DEPLOYMENTS.c.model == self._model)
        if until is not None:
            query = query.where(DEPLOYMENTS.c.at <= until)
        row = connection.execute(query.order_by(DEPLOYMENTS.c.revision.desc()).limit(1)).first()
        return None if row is None else _read_deployment(row)


def _read_deployment(row: Row[Any]) -> Deployment:
    experiment = None if row.experiment is None else load_record(Experiment, json.loads(row.experiment))
    return Deployment(version=row.version, digest=row.digest, revision=row.revision, experiment=experiment)
