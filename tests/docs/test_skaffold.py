"""Would Skaffold understand skaffold.yaml, and does it do what its comments say? As far as one can tell without it."""

import copy
import re
from pathlib import Path, PurePosixPath
from typing import Any

import jsonpatch
import pytest
import yaml

from scripts import kind
from tests.chart.rendering import container_of, needs_helm, objects_of, operator_of, template

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
PROFILES = {profile["name"]: profile for profile in CONFIG["profiles"]}
SITE_PACKAGES = "/opt/autoretrain/lib/python3.13/site-packages"

# What we use of docs-v2/content/en/schemas/v4beta13.json of github.com/GoogleContainerTools/skaffold, read at commit
# 19cc43a: a field's type, or the name of its definition; each of these definitions refuses other fields.
SCHEMA: dict[str, dict[str, Any]] = {
    "SkaffoldConfig": {
        "apiVersion": str,
        "kind": str,
        "metadata": "Metadata",
        "build": "BuildConfig",
        "deploy": "DeployConfig",
        "profiles": ["Profile"],
    },
    "Metadata": {"name": str},
    "BuildConfig": {"local": "LocalBuild", "artifacts": ["Artifact"]},
    "LocalBuild": {"push": bool, "useBuildkit": bool},
    "Artifact": {"image": str, "context": str, "docker": "DockerArtifact", "sync": "Sync"},
    "DockerArtifact": {"dockerfile": str},
    "Sync": {"manual": ["SyncRule"], "hooks": "SyncHooks"},
    "SyncRule": {"src": str, "dest": str, "strip": str},
    "SyncHooks": {"before": ["SyncHookItem"], "after": ["SyncHookItem"]},
    "SyncHookItem": {"container": "ContainerHook"},
    "ContainerHook": {"command": [str]},
    "DeployConfig": {"kubeContext": str, "helm": "LegacyHelmDeploy"},
    "LegacyHelmDeploy": {"releases": ["HelmRelease"], "hooks": "DeployHooks"},
    "HelmRelease": {
        "name": str,
        "chartPath": str,
        "namespace": str,
        "createNamespace": bool,
        "setValueTemplates": dict,
        "setValues": dict,
    },
    "DeployHooks": {"after": ["DeployHookItem"]},
    "DeployHookItem": {"host": "HostHook"},
    "HostHook": {"command": [str]},
    "Profile": {"name": str, "patches": ["JSONPatch"]},
    "JSONPatch": {"op": str, "path": str, "value": object},
}


def unknown(value: Any, kind: Any, path: str = "") -> list[str]:
    """The paths below `value` that are no field of `kind`, or of another type than its."""
    if isinstance(kind, list):
        rows = value if isinstance(value, list) else [value]
        return [problem for number, row in enumerate(rows) for problem in unknown(row, kind[0], f"{path}[{number}]")]
    if isinstance(kind, type):
        return [] if isinstance(value, kind) else [f"{path}: {value!r} is no {kind.__name__}"]
    fields = SCHEMA[kind]
    return [
        problem
        for name, inner in value.items()
        for problem in (unknown(inner, fields[name], f"{path}.{name}") if name in fields else [f"{path}.{name}"])
    ]


def with_profile(name: str) -> dict[str, Any]:
    if not name:
        return copy.deepcopy(CONFIG)
    patched: dict[str, Any] = jsonpatch.apply_patch(CONFIG, PROFILES[name]["patches"])
    return patched


def release_of(name: str) -> dict[str, Any]:
    [release] = with_profile(name)["deploy"]["helm"]["releases"]
    return release


def values_of(profile: str) -> tuple[str, tuple[str, ...]]:
    """The values and options that Helm gets where image `autoretrain/X` was built as `autoretrain/X:tag-of-X`."""
    release = release_of(profile)
    names = {each["image"].replace("/", "_"): each["image"] for each in with_profile(profile)["build"]["artifacts"]}
    options = []
    for value, said in release["setValueTemplates"].items():
        [(what, name)] = re.findall(r"^\{\{\.IMAGE_(REPO|TAG)_(\w+)\}\}$", said)
        image = names[name]
        options += ["--set", f"{value}={image if what == 'REPO' else 'tag-of-' + image.split('/')[1]}"]
    return yaml.safe_dump(release.get("setValues", {})), tuple(options)


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_every_field_is_one_of_the_schemas_version(profile: str):
    config = with_profile(profile)
    assert config["apiVersion"] == "skaffold/v4beta13"
    assert unknown(config, "SkaffoldConfig") == []


def test_a_field_that_the_schema_lacks_is_found():
    config = with_profile("") | {"deploy": {"kubeContext": 1, "helm": {"releases": [{"artifactOverrides": {}}]}}}
    assert unknown(config, "SkaffoldConfig") == [
        ".deploy.kubeContext: 1 is no str",
        ".deploy.helm.releases[0].artifactOverrides",
    ]


def test_every_image_of_the_repository_is_built_from_its_recipe():
    built = {each["image"]: each["docker"]["dockerfile"] for each in CONFIG["build"]["artifacts"]}
    recipes = {path.parent.name: str(path.relative_to(ROOT)) for path in ROOT.glob("images/*/Dockerfile")}
    assert built == {f"autoretrain/{name}": recipe for name, recipe in recipes.items() if name in kind.OUR_IMAGES}


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_only_our_own_cluster_is_touched(profile: str):
    assert with_profile(profile)["deploy"]["kubeContext"] == f"kind-{kind.CLUSTER}"
    assert release_of(profile)["namespace"] == kind.SYSTEM


@needs_helm
@pytest.mark.parametrize(
    ("profile", "tag"), [("", "tag-of-{}"), ("e2e", "tag-of-{}"), ("dev", "dev")], ids=lambda value: value or "none"
)
def test_the_release_runs_the_images_that_were_built(tmp_path: Path, profile: str, tag: str):
    text, options = values_of(profile)
    values = tmp_path / "values.yaml"
    values.write_text(text)
    done = template("", "--values", str(values), *options)
    assert done.returncode == 0, done.stderr
    images = set(re.findall(r"autoretrain/\w+:[\w-]+", done.stdout))
    assert images == {
        "autoretrain/controller:tag-of-controller",
        *(f"autoretrain/{name}:{tag.format(name)}" for name in ("agent", "serving", "trainer")),
    }


def test_changed_sources_are_copied_to_where_python_looks_first():
    [artifact] = with_profile("dev")["build"]["artifacts"]
    pod = release_of("dev")["setValues"]["operator"]["pod"]
    [place] = [each["value"] for each in pod["env"] if each["name"] == "PYTHONPATH"]
    assert [each["mountPath"] for each in pod["volumeMounts"]] == [place]
    copied = {}
    for rule in artifact["sync"]["manual"]:
        for path in ROOT.glob(rule["src"]):
            source = path.relative_to(ROOT).as_posix()
            copied[source] = str(PurePosixPath(rule["dest"]) / source.removeprefix(rule.get("strip", "")))
    assert copied["controller/children/pods.py"] == f"{place}/controller/children/pods.py"
    assert copied["src/autoretrain/decide/guard.py"] == f"{place}/autoretrain/decide/guard.py"


def test_what_is_not_copied_comes_from_where_the_image_has_it():
    [artifact] = with_profile("dev")["build"]["artifacts"]
    [before] = artifact["sync"]["hooks"]["before"]
    shell = before["container"]["command"][-1]
    assert f"cp -r {SITE_PACKAGES}/autoretrain {SITE_PACKAGES}/controller /sources" in shell
    recipe = (ROOT / artifact["docker"]["dockerfile"]).read_text()
    assert re.findall(r"^FROM python:([\d.]+)-slim", recipe, re.MULTILINE) == ["3.13", "3.13"]
    assert "python -m venv --without-pip /opt/autoretrain" in recipe


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        rows = list(value.values()) if isinstance(value, dict) else value
        return [leaf for row in rows for leaf in leaves(row)] if rows else [value]
    return [value]


@pytest.mark.parametrize("profile", PROFILES)
def test_no_value_is_lost_on_the_way_to_helm(profile: str):
    """Skaffold makes a `--set` of each number, text and boolean, so an empty object would not arrive, nor a comma."""
    for leaf in leaves(release_of(profile)["setValues"]):
        assert leaf not in ({}, [])
        assert "," not in str(leaf)


@needs_helm
def test_the_operators_root_file_system_stays_read_only_while_it_is_changed(tmp_path: Path):
    text, options = values_of("dev")
    (tmp_path / "values.yaml").write_text(text)
    documents = objects_of("", "--values", str(tmp_path / "values.yaml"), *options)
    container = container_of(operator_of(documents))
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"name": "PYTHONPATH", "value": "/sources"} in container["env"]
    assert {"name": "sources", "mountPath": "/sources"} in container["volumeMounts"]


def test_the_sample_is_made_and_asked():
    config, release = with_profile("e2e"), release_of("e2e")
    assert release["setValues"] == {"samples": {"smsSpam": {"enabled": True}}}
    [after] = config["deploy"]["helm"]["hooks"]["after"]
    command = after["host"]["command"]
    assert command[:3] == ["helm", "test", release["name"]]
    options = dict(zip(command[3::2], command[4::2], strict=True))
    assert options["--namespace"] == release["namespace"]
    assert options["--kube-context"] == config["deploy"]["kubeContext"]
