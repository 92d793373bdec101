"""The corners of the supported range, and the linters."""

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True

# Python, Django, DRF, asgiref: the oldest of everything, the newest, and one between.
# Django 6.0 and later need Python 3.12, so Django 5.2 is all that Python 3.11 can have.
CORNERS = [
    nox.param("3.11", ["Django==5.2.*", "djangorestframework==3.18.2", "asgiref==3.13.0"], id="oldest"),
    nox.param("3.12", ["Django==6.0.*", "djangorestframework", "asgiref"], id="middle"),
    nox.param("3.13", ["Django==6.1.*", "djangorestframework", "asgiref"], id="newest"),
]

PYPROJECT = nox.project.load_toml("pyproject.toml")


@nox.session
@nox.parametrize(["python", "pins"], CORNERS)
def tests(session: nox.Session, pins: list[str]) -> None:
    """Run the tests on Django's ASGI handler, and on ours by the general flows; arguments after -- go to pytest."""
    session.install("--upgrade", "-e", ".", *nox.project.dependency_groups(PYPROJECT, "test"), *pins)
    session.run("python", "-m", "pip", "freeze", "--exclude-editable")
    for entry, fast in (("django", "on"), ("restflow", "off")):
        settings = {"RESTFLOW_ENTRY": entry, "RESTFLOW_FAST": fast}
        session.run("python", "-m", "pytest", "-n", "auto", *session.posargs, env=settings)


@nox.session
def lint(session: nox.Session) -> None:
    """What `make lint` runs, in an environment of its own."""
    session.install("--upgrade", "-e", ".", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")
    with session.chdir("examples/bookshop"):
        session.run("mypy", env={"PYTHONPATH": "."})
        session.run("pyright", "--pythonpath", f"{session.bin}/python")
    session.run("lint-imports")
