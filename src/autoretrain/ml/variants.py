"""Which models does a specification ask to be tried? Its algorithms and parameters, checked, as a list of variants."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, TypeVar

from autoretrain.domain.errors import InvalidSpec, Problem
from autoretrain.domain.spec import AlgorithmSpec

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MOST_VARIANTS: Final = 64
LARGEST_NUMBER: Final = 10_000.0


class Profile(StrEnum):
    """What a model looks at: words only is faster, words and characters is better."""

    WORD = "Word"
    WORD_AND_CHARACTER = "WordAndCharacter"


class Algorithm(StrEnum):
    NAIVE_BAYES = "NaiveBayes"
    LOGISTIC_REGRESSION = "LogisticRegression"
    LINEAR_SVM = "LinearSVM"


class Preprocessing(StrEnum):
    """What is done to words before they are counted, by NLTK's means, in training only."""

    PLAIN = "Plain"
    WITHOUT_STOP_WORDS = "WithoutStopWords"
    STEMMED = "Stemmed"


class ClassWeight(StrEnum):
    """BALANCED gives both classes the same weight in the fit; the calibration undoes its effect on probabilities."""

    EQUAL = "Equal"
    BALANCED = "Balanced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model to fit. `strength` is `alpha` of Naive Bayes (smoothing), or `C` of the others (inverse penalty)."""

    algorithm: Algorithm
    strength: float
    class_weight: ClassWeight
    preprocessing: Preprocessing

    @property
    def parameters(self) -> dict[str, str]:
        """The values under the names that the specification uses, as it would write them."""
        strength = _STRENGTH_NAMES[self.algorithm]
        values = {strength: f"{self.strength:g}", "preprocessing": self.preprocessing.value}
        if self.algorithm is not Algorithm.NAIVE_BAYES:
            values["classWeight"] = self.class_weight.value
        return values

    @property
    def name(self) -> str:
        return f"{self.algorithm} " + " ".join(f"{key}={value}" for key, value in sorted(self.parameters.items()))


_STRENGTH_NAMES: Final = {Algorithm.NAIVE_BAYES: "alpha", Algorithm.LOGISTIC_REGRESSION: "C", Algorithm.LINEAR_SVM: "C"}

# What is searched where the specification names an algorithm without parameters. Measured by `benchmarks/quality.py`.
_DEFAULT_STRENGTHS: Final[Mapping[Algorithm, tuple[float, ...]]] = {
    Algorithm.NAIVE_BAYES: (0.03, 0.1),
    Algorithm.LOGISTIC_REGRESSION: (30.0,),
    Algorithm.LINEAR_SVM: (0.3, 1.0),
}
_DEFAULT_CLASS_WEIGHTS: Final = (ClassWeight.BALANCED,)
_DEFAULT_PREPROCESSING: Final = tuple(Preprocessing)


def parse_profile(profile: str) -> Profile:
    """Raises `InvalidSpec` for a name that no profile has."""
    try:
        return Profile(profile)
    except ValueError:
        raise InvalidSpec((Problem("spec.training.profile", _one_of(profile, Profile)),)) from None


def parse_variants(algorithms: Sequence[AlgorithmSpec]) -> tuple[Variant, ...]:
    """Every combination of the parameters, in the order given; a parameter holds one value or a list to search.

    Numbers may be strings, since the specification has no floats. NaiveBayes takes `alpha`; LogisticRegression and
    LinearSVM take `C` and `classWeight` (Equal, Balanced); each takes `preprocessing` (Plain, WithoutStopWords,
    Stemmed). Raises `InvalidSpec` with every problem and the path of its field.
    """
    problems: list[Problem] = []
    if not algorithms:
        problems.append(Problem("spec.training.algorithms", "must name at least one algorithm"))
    variants: dict[Variant, None] = {}
    for index, spec in enumerate(algorithms):
        path = f"spec.training.algorithms[{index}]"
        try:
            algorithm = Algorithm(spec.name)
        except ValueError:
            problems.append(Problem(f"{path}.name", _one_of(spec.name, Algorithm)))
            continue
        variants |= dict.fromkeys(_expand(algorithm, spec.parameters, path=f"{path}.parameters", problems=problems))
    if len(variants) > MOST_VARIANTS:
        message = f"asks for {len(variants)} variants; at most {MOST_VARIANTS} are searched"
        problems.append(Problem("spec.training.algorithms", message))
    if problems:
        raise InvalidSpec(tuple(problems))
    return tuple(variants)


def _expand(
    algorithm: Algorithm, parameters: Mapping[str, object], *, path: str, problems: list[Problem]
) -> list[Variant]:
    strength = _STRENGTH_NAMES[algorithm]
    names = {strength, "preprocessing"} | (set() if algorithm is Algorithm.NAIVE_BAYES else {"classWeight"})
    for name in sorted(parameters.keys() - names):
        message = f"is not a parameter of {algorithm}, which has {', '.join(sorted(names))}"
        problems.append(Problem(f"{path}.{name}", message))

    def read(name: str, convert: Callable[[object], T], *, default: tuple[T, ...]) -> tuple[T, ...]:
        try:
            return _read_values(parameters[name], convert) if name in parameters else default
        except ValueError as error:
            problems.append(Problem(f"{path}.{name}", str(error)))
            return ()

    strengths = read(strength, _positive_number, default=_DEFAULT_STRENGTHS[algorithm])
    class_weights: tuple[ClassWeight, ...] = (ClassWeight.EQUAL,)
    if algorithm is not Algorithm.NAIVE_BAYES:
        class_weights = read("classWeight", _member_of(ClassWeight), default=_DEFAULT_CLASS_WEIGHTS)
    preprocessings = read("preprocessing", _member_of(Preprocessing), default=_DEFAULT_PREPROCESSING)
    return [
        Variant(algorithm=algorithm, strength=value, class_weight=class_weight, preprocessing=preprocessing)
        for preprocessing, value, class_weight in product(preprocessings, strengths, class_weights)
    ]


def _read_values(value: object, convert: Callable[[object], T]) -> tuple[T, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("is an empty list; leave it out for the default, or name at least one value")
    return tuple(dict.fromkeys(convert(each) for each in values))


def _positive_number(value: object) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not 0.0 < number <= LARGEST_NUMBER:
        raise ValueError(f"{value!r:.40} is not a number above 0 and up to {LARGEST_NUMBER:g}")
    return number


def _member_of(kind: type[E]) -> Callable[[object], E]:
    def convert(value: object) -> E:
        try:
            return kind(str(value))
        except ValueError:
            raise ValueError(_one_of(value, kind)) from None

    return convert


def _one_of(value: object, kind: type[StrEnum]) -> str:
    return f"{value!r:.40} is not one of {', '.join(kind)}"
