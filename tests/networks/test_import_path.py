import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import medarch
for room in ("networks", "tasks", "training", "inference", "api", "cli"):
    room = "medarch." + room
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        importlib.import_module(module.name)
print(*sorted({name.split(".")[0] for name in sys.modules} & {"torchvision", "timm"}))
"""


def test_neither_torchvision_nor_timm_is_on_the_import_path():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
    files = subprocess.run(
        ["grep", "-rlE", r"(import|from) (torchvision|timm)\b", "medarch", "--include=*.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert files.stdout == ""


def test_listing_the_registry_imports_no_torch():
    program = (
        "import sys; from medarch.networks.registry import REGISTRY; assert len(REGISTRY) > 40; "
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
