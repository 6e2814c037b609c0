"""A specification's algorithms become variants, or every mistake in them is named with its path."""

import pytest

from autoretrain.domain.errors import InvalidSpec
from autoretrain.ml.variants import MOST_VARIANTS, Algorithm, parse_profile, parse_variants
from tests.unit.ml.messages import make_spec

PATH = "spec.training.algorithms"


def names(algorithms: dict[str, dict[str, object]]) -> list[str]:
    return [variant.name for variant in parse_variants(make_spec(algorithms).algorithms)]


def problems(algorithms: dict[str, dict[str, object]]) -> list[str]:
    with pytest.raises(InvalidSpec) as raised:
        parse_variants(make_spec(algorithms).algorithms)
    return [str(problem) for problem in raised.value.problems]


def test_the_default_search_tries_each_algorithm_and_each_preprocessing():
    variants = parse_variants(make_spec({name: {} for name in Algorithm}).algorithms)
    assert len(variants) == 15
    assert len({(variant.algorithm, variant.preprocessing) for variant in variants}) == 9


def test_lists_are_searched_and_numbers_may_be_strings():
    assert names({"LinearSVM": {"C": ["0.5", 2], "classWeight": "Equal", "preprocessing": ["Plain", "Stemmed"]}}) == [
        "LinearSVM C=0.5 classWeight=Equal preprocessing=Plain",
        "LinearSVM C=2 classWeight=Equal preprocessing=Plain",
        "LinearSVM C=0.5 classWeight=Equal preprocessing=Stemmed",
        "LinearSVM C=2 classWeight=Equal preprocessing=Stemmed",
    ]


def test_naive_bayes_has_no_class_weight():
    assert names({"NaiveBayes": {"alpha": "0.1", "preprocessing": "WithoutStopWords"}}) == [
        "NaiveBayes alpha=0.1 preprocessing=WithoutStopWords"
    ]
    assert problems({"NaiveBayes": {"classWeight": "Balanced"}}) == [
        f"{PATH}[0].parameters.classWeight: is not a parameter of NaiveBayes, which has alpha, preprocessing"
    ]


def test_the_same_variant_is_tried_once():
    assert len(names({"NaiveBayes": {"alpha": ["0.1", 0.1, "1e-1"], "preprocessing": "Plain"}})) == 1


@pytest.mark.parametrize(
    "value",
    ["0", -1, "many", True, None, "nan", "inf", "1e9", {}, [["1"]], 10**400],
    ids=lambda value: f"{value!r:.12}",
)
def test_a_strength_must_be_a_number_in_its_bounds(value):
    (problem,) = problems({"LinearSVM": {"C": value}})
    assert problem.startswith("spec.training.algorithms[0].parameters.C: ")
    assert problem.endswith("is not a number above 0 and up to 10000")


def test_every_problem_is_named_with_its_path():
    assert problems(
        {
            "Oracle": {},
            "LogisticRegression": {"c": 1, "C": [], "classWeight": "Heavy"},
            "LinearSVM": {"preprocessing": ["Plain", "Yelled"]},
        }
    ) == [
        f"{PATH}[0].name: 'Oracle' is not one of NaiveBayes, LogisticRegression, LinearSVM",
        f"{PATH}[1].parameters.c: is not a parameter of LogisticRegression, which has C, classWeight, preprocessing",
        f"{PATH}[1].parameters.C: is an empty list; leave it out for the default, or name at least one value",
        f"{PATH}[1].parameters.classWeight: 'Heavy' is not one of Equal, Balanced",
        f"{PATH}[2].parameters.preprocessing: 'Yelled' is not one of Plain, WithoutStopWords, Stemmed",
    ]


def test_no_algorithm_is_a_problem():
    assert problems({}) == ["spec.training.algorithms: must name at least one algorithm"]


def test_the_search_is_bounded():
    strengths = [str(number) for number in range(1, MOST_VARIANTS + 2)]
    assert problems({"NaiveBayes": {"alpha": strengths, "preprocessing": "Plain"}}) == [
        f"spec.training.algorithms: asks for {MOST_VARIANTS + 1} variants; at most {MOST_VARIANTS} are searched"
    ]


def test_an_unknown_profile_is_named_with_its_path():
    with pytest.raises(InvalidSpec, match=r"spec\.training\.profile: 'Sentence' is not one of Word, WordAndCharacter"):
        parse_profile("Sentence")
