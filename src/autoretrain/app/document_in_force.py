"""Which document holds? The file as it is; in a process that decides, the last good one while the file is broken."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoretrain.adapters import spammodel
from autoretrain.adapters.documents import parse_document, read_document
from autoretrain.app.state import write_atomically
from autoretrain.domain.errors import InvalidSpec, Problem
from autoretrain.domain.spec import SpamModel


@dataclass(slots=True)
class DocumentInForce:
    """The document in `path`. `problems` says what was wrong with the file when it was read last.

    `copy_of` gives, for a model's key, where the last good document is kept for the processes that this one starts;
    None keeps nothing, and a broken file raises.
    """

    path: Path
    copy_of: Callable[[str], Path] | None = None
    problems: tuple[Problem, ...] = ()
    _last: tuple[dict[str, Any], SpamModel] | None = field(default=None)
    _read: tuple[str, dict[str, Any], SpamModel] | None = field(default=None)
    """The last text that was good, and what it says."""

    @property
    def file(self) -> Path:
        """What other processes read to work by the same document."""
        return self.copy_of(self._last[1].key) if self.copy_of and self._last else self.path

    def read(self) -> tuple[dict[str, Any], SpamModel]:
        """Return the document and its records, without uid and generation. Raises InvalidSpec where none was good."""
        try:
            document, model = self._parsed(read_document(self.path))
            self._require_same_model(model)
        except InvalidSpec as error:
            if self._last is None:
                raise
            self.problems = error.problems
            return self._last
        self.problems = ()
        if self.copy_of is not None and (self._last is None or self._last[0] != document):
            write_atomically(self.copy_of(model.key), json.dumps(document, indent=2))
            self._last = document, model
        return document, model

    def _parsed(self, text: str) -> tuple[dict[str, Any], SpamModel]:
        # To check a document takes a hundred times as long as to read its file, and most times it is as it was.
        if self._read is None or self._read[0] != text:
            document = parse_document(text, self.path)
            self._read = text, document, spammodel.parse_spam_model(document, uid="", generation=0)
        _, document, model = self._read
        return copy.deepcopy(document), model

    def _require_same_model(self, model: SpamModel) -> None:
        if self._last is not None and self._last[1].key != model.key:
            reason = f"is {model.key} now; a process that looks after {self._last[1].key} has to be started anew for it"
            raise InvalidSpec((Problem("metadata.name", reason),))
