"""One version? Licences that we may ship? Workflows that run what `.ci/run` runs, with few rights?"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import license_check, release_check
from scripts.kind import OUR_IMAGES, STEPS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
CHANGELOG = "CHANGELOG.md"
CI_RUN = (ROOT / ".ci" / "run").read_text()
VERSIONED = (
    *("pyproject.toml", CHANGELOG, "docs/reference/http.md", "helm/autoretrain/Chart.yaml"),
    *("helm/autoretrain/values.yaml", *release_check.DEFINITIONS),
    *(f"images/{image}/Dockerfile" for image in release_check.IMAGES),
)
VERSION = release_check.package_version(ROOT)
# What says another version: a file, what is replaced in it and by what, and how the sentence about it begins.
DIFFERENT = [
    (
        "helm/autoretrain/Chart.yaml",
        f"\nversion: {VERSION}",
        "\nversion: 9.9.9",
        "version of helm/autoretrain/Chart.yaml",
    ),
    ("helm/autoretrain/values.yaml", '\n  tag: ""', '\n  tag: "9.9.9"', "images.tag of helm/autoretrain/values.yaml"),
    ("docs/reference/http.md", f'"version": "{VERSION}"', '"version": "9.9.9"', "an example of docs/reference/http.md"),
    *(
        (name, f'{release_check.ANNOTATION}: "{VERSION}"', written, f"annotation {release_check.ANNOTATION} of {name}")
        for name in release_check.DEFINITIONS
        for written in (f'{release_check.ANNOTATION}: "9.9.9"', 'example.com/other: ""')
    ),
    *(
        (f"images/{image}/Dockerfile", release_check.VERSION_LABEL, "other=label", f"images/{image}/Dockerfile")
        for image in release_check.IMAGES
    ),
]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of every file that says a version."""
    for name in VERSIONED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, described in workflow["jobs"].items():
            yield f"{name}.{job}", described


def steps() -> Iterator[dict[str, Any]]:
    for _, job in jobs():
        yield from job.get("steps", ())


def scripts_of(workflow: str) -> list[str]:
    described = WORKFLOWS[workflow]["jobs"].values()
    return [step["run"] for job in described for step in job.get("steps", ()) if "run" in step]


# Versions.


def test_one_version_stands_everywhere():
    assert list(release_check.problems(ROOT)) == []


@pytest.mark.parametrize(("name", "old", "new", "begins"), DIFFERENT)
def test_a_place_with_another_version_is_named(repository: Path, name: str, old: str, new: str, begins: str):
    replace(repository / name, old, new)
    [problem] = release_check.problems(repository)
    assert problem.startswith(begins)


def test_a_package_with_another_version_is_told_by_every_place(repository: Path):
    replace(repository / "pyproject.toml", f'version = "{VERSION}"', 'version = "9.9.9"')
    places = [problem.split(" says ")[0] for problem in release_check.problems(repository)]
    assert len(places) == len(set(places)) == 4 + len(release_check.DEFINITIONS)


def test_a_changelog_without_a_heading_is_named(repository: Path):
    replace(repository / CHANGELOG, "\n## Unreleased\n", "\n")
    assert list(release_check.problems(repository)) == [
        f"CHANGELOG.md has a heading neither for {VERSION} nor for Unreleased"
    ]


def test_a_tag_is_released_only_with_its_version_and_its_heading(repository: Path):
    assert list(release_check.problems(repository, tag=f"v{VERSION}")) == [f"CHANGELOG.md has no heading for {VERSION}"]
    replace(repository / CHANGELOG, "\n## Unreleased\n", f"\n## {VERSION} (2026-12-01)\n")
    assert list(release_check.problems(repository, tag=f"v{VERSION}")) == []
    assert list(release_check.problems(repository, tag="v9.9.9")) == [
        f"the tag is v9.9.9, pyproject.toml says {VERSION}"
    ]


# Licences.


@pytest.mark.parametrize(
    "licences",
    [
        ["GPL-3.0-or-later"],
        ["AGPL-3.0-only"],
        ["MIT AND GPL-2.0-only"],
        ["BUSL-1.1"],
        ["BSL 1.1"],
        ["SSPL-1.0"],
        ["", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
        ["GNU AFFERO GENERAL PUBLIC LICENSE"],
        ["Business Source License 1.1"],
    ],
    ids=str,
)
def test_a_licence_that_binds_or_forbids_is_refused(licences: list[str]):
    assert license_check.refused(licences)


@pytest.mark.parametrize(
    "licences",
    [
        ["MIT"],
        ["LGPL-3.0-only"],
        ["BSL-1.0"],
        ["GPL-2.0-only OR MIT"],
        ["", "License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)"],
        ["MPL-2.0 AND (Apache-2.0 OR MIT)"],
    ],
    ids=str,
)
def test_a_licence_that_leaves_its_users_free_is_not(licences: list[str]):
    assert not license_check.refused(licences)


def test_every_package_of_every_image_may_be_shipped():
    assert list(license_check.problems(ROOT)) == []


def test_a_package_whose_licence_can_not_be_known_is_named(tmp_path: Path):
    (tmp_path / "requirements").mkdir()
    for lock in license_check.LOCKS:
        (tmp_path / "requirements" / f"{lock}.txt").write_text(
            "no-such-package-at-all==1.0 \\\n    --hash=sha256:00\nalso-none==1 ; sys_platform == 'win32' \\\n"
        )
    assert list(license_check.problems(tmp_path)) == [
        f"{lock}: no-such-package-at-all is not installed, so its licence is not known" for lock in license_check.LOCKS
    ]


# Workflows.


def test_every_command_of_ci_run_is_in_the_workflow():
    commands = re.findall(r'^\s*stage "[^"]*" \d+ ((?:make|\.venv/bin/python) .+)$', CI_RUN, re.MULTILINE)
    wanted = {command.replace(' PYTHON="$python"', "") for command in commands}
    assert len(wanted) > 8
    # A machine of a workflow is new and thrown away, so there is no cluster to take down.
    assert wanted - {"make kind-down"} - set(scripts_of("ci")) == set()


def test_every_target_and_script_of_a_workflow_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for workflow in WORKFLOWS:
        for script in scripts_of(workflow):
            assert set(re.findall(r"\bmake ([a-z0-9-]+)", script)) <= targets
            for path, step in re.findall(r"\bpython (scripts/\w+\.py)(?: (\w+))?", script):
                assert (ROOT / path).exists()
                assert path != "scripts/kind.py" or step in STEPS


def test_tests_run_on_every_python_that_is_supported():
    pythons = [row["python"] for row in WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["include"]]
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]
    assert f'requires-python = ">={pythons[0]}"' in (ROOT / "pyproject.toml").read_text()


def test_a_release_comes_after_everything_that_ci_checks():
    release = WORKFLOWS["release"]["jobs"]
    assert release["ci"]["uses"] == "./.github/workflows/ci.yml"
    # YAML 1.1 reads the name `on` as true.
    assert "workflow_call" in WORKFLOWS["ci"][True]
    assert set(release["images"]["needs"]) == {"ci", "version"}
    assert (release["chart"]["needs"], release["notes"]["needs"]) == (["images"], ["chart"])


def test_every_image_is_built_for_both_architectures_in_ci_and_released_with_sbom_and_provenance():
    for name in ("ci", "release"):
        job = WORKFLOWS[name]["jobs"]["images"]
        assert job["strategy"]["matrix"]["image"] == list(OUR_IMAGES)
        build = next(step["with"] for step in job["steps"] if "build-push-action" in step.get("uses", ""))
        assert build["platforms"] == "linux/amd64,linux/arm64"
        assert build["file"] == "images/${{ matrix.image }}/Dockerfile"
    assert (build["push"], build["sbom"], build["provenance"]) == (True, True, "mode=max")
    assert {line.split("=")[0] for line in build["build-args"].splitlines()} == {"VERSION", "REVISION"}


def test_images_and_chart_are_signed_by_digest():
    signed = [line for script in scripts_of("release") for line in script.splitlines() if "cosign sign" in line]
    assert len(signed) == 2
    named = [step["env"]["NAME"] for step in steps() if "NAME" in step.get("env", {})]
    assert named == ["${{ steps.name.outputs.repository }}@${{ steps.build.outputs.digest }}"]
    assert '"$NAME"' in signed[0]
    assert "@$(awk '/Digest:/" in signed[1]


def test_every_foreign_action_is_pinned_to_a_commit_that_says_its_version():
    text = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    used = re.findall(r"uses: (\S+)(.*)", text)
    pins: dict[str, set[str]] = {}
    for name, comment in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name
            pins.setdefault(name.split("@")[0], set()).add(name + comment)
    assert len(pins) > 5
    assert {action for action, versions in pins.items() if len(versions) > 1} == set()


def test_jobs_have_a_time_limit_and_the_rights_they_name_and_no_others():
    writing = {
        "release.images": {"packages", "id-token"},
        "release.chart": {"packages", "id-token"},
        "release.notes": {"contents"},
    }
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {}
        assert "group" in workflow["concurrency"]
    for name, job in jobs():
        assert {right for right, level in job["permissions"].items() if level == "write"} == writing.get(name, set())
        assert "uses" in job or 0 < job["timeout-minutes"] <= 90, name


def test_a_checkout_leaves_no_login_behind_and_no_script_takes_in_what_others_wrote():
    for step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        # An expression is put into the text of a script before the shell reads it: a branch's name could be a command.
        assert "${{" not in step.get("run", "")


def test_updates_are_proposed_for_everything_that_is_pinned_once_they_are_a_week_old():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"pip", "github-actions", "docker"}
    assert {each["cooldown"]["default-days"] for each in updates} == {7}
    [docker] = [each for each in updates if each["package-ecosystem"] == "docker"]
    assert docker["directories"] == [f"/images/{image}" for image in OUR_IMAGES]
