"""Programs of others use the kernels: each example is built against the installed wheel, or library, and run."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import zipfile

import installed
import numpy as np
import pytest
import reference

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLES = installed.ROOT / "examples" / "consumers"
SEARCH = """
import json, numpy as np, fastclf, nearest
rng = np.random.default_rng(5)
Q, X = rng.integers(0, 9, (6, 3)) / 4, rng.integers(0, 9, (40, 3)) / 4
try:
    nearest.nearest(Q, X, 41)
    refusal = None
except ValueError as error:
    refusal = str(error)
distances, indices = nearest.nearest(Q, X, 7)
print(json.dumps([fastclf.__file__, distances.tolist(), indices.tolist(), refusal]))
"""


def expected():
    """What the script is to find."""
    rng = np.random.default_rng(5)
    Q, X = rng.integers(0, 9, (6, 3)) / 4, rng.integers(0, 9, (40, 3)) / 4
    return [a.tolist() for a in reference.exact_knn("l2", Q, X, 7)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return installed.copied_tree(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return installed.wheel_of(tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def library(tree, tmp_path_factory):
    """A folder with the library, moved after it was installed."""
    folder = tmp_path_factory.mktemp("library")
    installed.library_of(tree, folder / "first")
    return (folder / "first").rename(folder / "prefix")


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    return installed.Environment(tmp_path_factory.mktemp("environment"), wheel)


def with_another_function(tree):
    """Append a function to the interface."""
    header = tree / "src" / "fastclf" / "include" / "fastclf_api.h"
    text = header.read_text()
    last = re.search(r"X\((\w+)\)\n\n", text)[1]
    text = text.replace(f"X({last})\n", f"X({last}) \\\n    X(answer)\n")
    prototype = "FASTCLF_EXPORT int fastclf_answer(void);\n\n"
    header.write_text(text.replace("#define FASTCLF_FUNCTIONS", f"{prototype}#define FASTCLF_FUNCTIONS"))
    with (tree / "csrc" / "api" / "api.c").open("a") as file:
        file.write("\nint fastclf_answer(void) { return 42; }\n")
    return tree


@pytest.fixture(scope="module")
def later(tree, wheel, library, tmp_path_factory):
    """An environment with a later build, whose table has one function more, of the tree of the others after these."""
    folder = tmp_path_factory.mktemp("later")
    return installed.Environment(folder / "environment", installed.wheel_of(with_another_function(tree), folder))


def extension(name, environment, folder):
    """Build an example's extension module in a folder."""
    shutil.copytree(EXAMPLES / name, folder / name)
    environment.run("setup.py", "--quiet", "build_ext", "--inplace", cwd=folder / name)
    return folder / name


def assert_finds_the_nearest(environment, folder):
    file, *found, refusal = json.loads(environment.run("-c", SEARCH, cwd=folder))
    assert str(environment.python.parents[1]) in file
    assert found == expected()
    assert "k is less than 1" in refusal or "refuses" in refusal


def test_the_wheel_has_what_programs_need_and_no_more(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"fastclf/include/fastclf_api.h", "fastclf/c_api.pxd", "fastclf/py.typed"} <= {*names}
    assert [name for name in names if name.endswith((".pyx", ".pxi", ".c", "_native.pxd", ".cmake"))] == []
    assert [name for name in names if name.endswith(".h")] == ["fastclf/include/fastclf_api.h"]
    assert not [name for name in names if not name.startswith(("fastclf/", "fastclf-"))]


@pytest.mark.parametrize(("name", "package"), [("cython", "Cython"), ("pybind11", "pybind11")])
def test_an_extension_runs_with_this_build_and_a_later_one(name, package, environment, later, tmp_path):
    pytest.importorskip(package)
    folder = extension(name, environment, tmp_path)
    assert_finds_the_nearest(environment, folder)
    functions = json.loads(later.run("-c", "import fastclf, json; print(json.dumps([*fastclf.c_functions()]))"))
    assert functions[-1] == "answer"
    assert_finds_the_nearest(later, folder)


def test_an_extension_refuses_an_earlier_build(environment, later, tmp_path):
    pytest.importorskip("Cython")
    folder = extension("cython", later, tmp_path)
    assert_finds_the_nearest(later, folder)
    script = "import pytest\nwith pytest.raises(ImportError, match='C interface 1 of'):\n    import nearest"
    environment.run("-c", script, cwd=folder)


def test_the_loss_of_an_extension_in_cpp(environment, tmp_path):
    pytest.importorskip("pybind11")
    folder = extension("pybind11", environment, tmp_path)
    script = "import nearest; print([a.tolist() for a in nearest.softmax_loss([[0, 0], [0, 0]], [1, 0])])"
    assert environment.run("-c", script, cwd=folder).strip() == (
        "[[0.6931471805599453, 0.6931471805599453], [[0.5, -0.5], [-0.5, 0.5]]]"
    )


@pytest.mark.parametrize("package", ["ctypes", "cffi", "numba"])
def test_a_module_without_a_compiler(package, environment, tmp_path):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"could not import '{package}'")
    shutil.copy(EXAMPLES / f"{package}_nearest.py", tmp_path / "nearest.py")
    assert_finds_the_nearest(environment, tmp_path)


# --- without Python ---------------------------------------------------------------------------------------------------

PRINTED = [
    "class 0, nearest row 20 at 1.00",
    "class 1, nearest row 1001 at 1.25",
    "class 0, nearest row 1998 at 2005.00",
]


def test_a_program_finds_the_library_by_cmake(library, tmp_path):
    where = f"-DCMAKE_PREFIX_PATH={library}"
    installed.run("cmake", "-S", EXAMPLES / "c", "-B", tmp_path, where)
    installed.run("cmake", "--build", tmp_path)
    assert installed.run(tmp_path / "nearest").splitlines() == PRINTED


def test_a_program_finds_the_library_by_pkg_config(library, tmp_path):
    if shutil.which("pkg-config") is None:
        pytest.skip("there is no pkg-config")
    where = {"PKG_CONFIG_PATH": str(library / "lib" / "pkgconfig")}
    flags = installed.run("pkg-config", "--cflags", "--libs", "fastclf", env=where).split()
    strict = ("-std=c99", "-Wall", "-Werror", "-pedantic")
    installed.run("gcc", *strict, EXAMPLES / "c" / "nearest.c", "-o", tmp_path / "a", *flags)
    found = installed.run(tmp_path / "a", env={"LD_LIBRARY_PATH": str(library / "lib")})
    assert found.splitlines() == PRINTED


def test_only_the_public_functions_can_be_seen(library):
    table = subprocess.run(
        ["nm", "-D", "--defined-only", library / "lib" / "libfastclf.so"], check=True, capture_output=True, text=True
    ).stdout
    header = (library / "include" / "fastclf_api.h").read_text()
    functions = re.findall(r"^FASTCLF_EXPORT .*?\bfastclf_(\w+)\(", header, re.MULTILINE)
    assert sorted(line.split()[-1] for line in table.splitlines()) == sorted(f"fastclf_{name}" for name in functions)
