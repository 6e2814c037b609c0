"""What our own code never does, whoever asks: unpickle, run a shell, evaluate text, glue SQL, draw raw HTML."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [path for directory in ("src", "controller") for path in sorted((ROOT / directory).rglob("*.py"))]
UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "skops"}
# Of MLflow: these run the code that a version brings with it, or unpickle.
LOADERS = {"load_model", "load_pyfunc"}
SHELLS = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}
STATEMENTS = {"text", "execute", "exec_driver_sql"}


def dangers(source: str) -> Iterator[str]:
    """What is dangerous in a module, each as a word."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ("unpickling" for alias in node.names if alias.name.split(".")[0] in UNPICKLERS)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNPICKLERS:
            yield "unpickling"
        if isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    last = name.split(".")[-1]
    given = {each.arg: each.value for each in call.keywords}
    if last in LOADERS:
        yield "unpickling"
    if name in {"eval", "exec", "compile", "__import__"}:
        yield "evaluation"
    if name in SHELLS or ("shell" in given and ast.unparse(given["shell"]) != "False"):
        yield "a shell"
    if name in {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}:
        yield "unsafe YAML"
    if "unsafe_allow_html" in given or (name in {"st.html", "components.html"} and not _is_constant(call.args[0])):
        yield "raw HTML"
    if last in STATEMENTS and call.args and isinstance(call.args[0], ast.JoinedStr | ast.BinOp):
        yield "glued SQL"


def _is_constant(value: ast.expr) -> bool:
    """Say whether it is the name of a constant: of those nobody else wrote anything."""
    return isinstance(value, ast.Name) and value.id.isupper()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_does_none_of_it(path: Path):
    assert list(dangers(path.read_text())) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "unpickling"),
        ("from joblib import load", "unpickling"),
        ("mlflow.pyfunc.load_model(uri)", "unpickling"),
        ("eval(text)", "evaluation"),
        ("subprocess.run(line, shell=True)", "a shell"),
        ("os.system(line)", "a shell"),
        ("yaml.load(text)", "unsafe YAML"),
        ("st.markdown(text, unsafe_allow_html=True)", "raw HTML"),
        ("st.html(text)", "raw HTML"),
        ("st.html(STYLE + text)", "raw HTML"),
        ("connection.execute(f'SELECT {name}')", "glued SQL"),
        ("sa.text('SELECT ' + name)", "glued SQL"),
    ],
)
def test_each_danger_would_be_seen(source: str, found: str):
    assert list(dangers(source)) == [found]


def test_a_style_of_our_own_is_no_danger():
    assert list(dangers("st.html(STYLE)")) == []
