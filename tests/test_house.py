"""The house: imports run one way, nothing of PyTorch's is needed, and what is public has a docstring."""

import ast
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "itt_jax"
# A room may import itself and the rooms of later rows; rooms of one row do not import each other.
ROOMS = (
    ("main",),
    ("cli",),
    ("query", "monitor"),
    ("bench", "report"),
    ("analysis",),
    ("study",),
    ("certify",),
    ("store", "evaluate", "attack", "accelerators"),
    ("train",),
    ("config",),
    ("arms",),
    ("score",),
    ("tasks",),
    ("kinds",),
    ("metrics",),
    ("data", "models"),
    ("families",),
    ("perturb",),
    ("reading",),
    ("ragged", "batch", "files"),
    ("errors",),
)
ROW = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}
NO_JAX = {"cli", "report", "analysis", "store", "config", "arms", "score", "tasks", "kinds", "metrics", "data"}
NO_JAX |= {"query", "monitor", "families", "perturb", "ragged", "batch", "files", "errors", "reading"}


def module_name(path: pathlib.Path) -> str:
    """The dotted name of a file of ours."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports(name: str) -> set[str]:
    """Modules that a module imports anywhere: at the top, in functions, and for type checkers."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & set(MODULES)
            found |= modules | ({node.module} if names - modules else set())
    return found


IMPORTS = {name: imports(name) for name in MODULES}
OURS = {name: (found & set(MODULES)) - {"itt_jax"} for name, found in IMPORTS.items()}


def room_of(module: str) -> str:
    """The room of a module; a study's arms are plain data, which configs read, and a room of their own."""
    return "arms" if module in ("itt_jax.study.arms", "itt_jax.study.hardening") else module.split(".")[1]


def test_imports_run_one_way():
    upward = {
        (module, other)
        for module, others in OURS.items()
        for other in others
        if module != "itt_jax" and room_of(module) != room_of(other) and ROW[room_of(module)] >= ROW[room_of(other)]
    }
    assert not upward


def test_no_circle_between_files():
    assert not circles(OURS)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected sets of two or more modules."""
    reached = {module: {module} for module in graph}
    changed = True
    while changed:
        changed = False
        for module, others in graph.items():
            size = len(reached[module])
            reached[module].update(*(reached[other] for other in others))
            changed |= len(reached[module]) > size
    groups = {frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return [set(group) for group in groups if len(group) > 1]


def test_rooms_without_jax_have_none():
    found = {
        module
        for module, others in IMPORTS.items()
        if module != "itt_jax"
        and room_of(module) in NO_JAX
        and {other.split(".")[0] for other in others} & {"jax", "jaxlib", "flax", "optax", "orbax"}
    }
    assert not found


def test_models_families_and_perturb_know_nothing_of_the_rest():
    for module, others in OURS.items():
        room = room_of(module) if module != "itt_jax" else None
        if room in ("models", "families", "perturb"):
            allowed = {room, "ragged", "batch", "files", "errors"}
            allowed |= {"models": {"families", "reading"}, "perturb": {"reading"}}.get(room, set())
            assert {room_of(other) for other in others} <= allowed, module


def test_nothing_imports_torch_or_unpickles():
    for name, path in MODULES.items():
        found = {module.split(".")[0] for module in IMPORTS[name]}
        assert not found & {"torch", "pickle"} and "trust_remote_code=True" not in path.read_text("utf-8"), path


def test_what_needs_no_model_does_not_import_jax():
    """Perturbing, every list, a config and its checks, the analysis and the report."""
    code = (
        "import sys, itt_jax; itt_jax.perturb.perturb(['a b'], 'swap', 0.5, 'en');"
        "from itt_jax.cli.listing import LISTED, listing; [listing(name) for name in LISTED];"
        "from itt_jax import config; from itt_jax.study import quickstart; config.load(quickstart.__file__);"
        "import itt_jax.analysis, itt_jax.report, itt_jax.store; print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_dir_of_the_package_names_its_parts_and_imports_none():
    code = (
        "import sys, itt_jax; names = dir(itt_jax);"
        "print([name for name in sys.modules if name.startswith('itt_jax.')], *itt_jax.__all__);"
        "assert set(itt_jax.__all__) < set(names) and itt_jax.config.Study.__name__ == 'Study'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parts = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name != "cli")
    assert done.stdout == " ".join(["[]", *parts]) + "\n"


def test_public_functions_classes_and_methods_have_docstrings():
    """Or override a documented method of a base class of ours. Properties and nested functions need none."""
    classes: dict[str, list[ast.ClassDef]] = {}
    for node in (node for tree in TREES.values() for node in tree.body if isinstance(node, ast.ClassDef)):
        classes.setdefault(node.name, []).append(node)
    absent = [
        f"{module}:{node.lineno} {node.name}"
        for module, tree in TREES.items()
        for owner, node in undocumented(tree)
        if isinstance(owner, ast.Module) or not inherits(owner, node.name, classes)
    ]
    assert not absent


def undocumented(owner: ast.Module | ast.ClassDef) -> list[tuple[ast.Module | ast.ClassDef, ast.stmt]]:
    """The public functions, classes and methods without a docstring, each with the module or class it belongs to."""
    found = []
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            exempt = {"property", "functools.cached_property", "overload"} & set(map(ast.unparse, node.decorator_list))
            found += [] if exempt or ast.get_docstring(node) else [(owner, node)]
            found += undocumented(node) if isinstance(node, ast.ClassDef) else []
    return found


def inherits(owner: ast.ClassDef, method: str, classes: dict[str, list[ast.ClassDef]]) -> bool:
    """Whether a base class of ours, found by its name, documents the method."""
    names = {ast.unparse(base).split("[")[0].split(".")[-1] for base in owner.bases} - {owner.name}
    for base in (base for name in names for base in classes.get(name, [])):
        own = [node for node in base.body if isinstance(node, ast.FunctionDef) and node.name == method]
        if any(map(ast.get_docstring, own)) or inherits(base, method, classes):
            return True
    return False
